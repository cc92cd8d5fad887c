"""Python's own mail client against the sandbox's mail server: `smtp.py HOST PORT`."""

import smtplib
import sys
from email.message import EmailMessage


def main(host, port):
    with smtplib.SMTP(host, int(port), timeout=30) as server:
        server.ehlo_or_helo_if_needed()
        assert server.has_extn("8bitmime") and server.has_extn("size") and not server.has_extn("starttls")
        assert server.noop()[0] == 250

        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "me@example.com", "a@example.com", "Dots"
        mail.set_content(".one\n..two\n.\nÜber\n")
        assert server.send_message(mail) == {}

        refused = server.sendmail("me@example.com", ["b@example.com", "refused@example.com"], "Subject: x\n\ny\n")
        assert refused == {"refused@example.com": (550, b"5.1.1 no such mailbox")}, refused

        # Out of turn, and begun anew.
        assert server.docmd("DATA")[0] == 503
        assert server.mail("me@example.com")[0] == 250
        assert server.mail("me@example.com")[0] == 503
        assert server.docmd("DATA")[0] == 554
        assert server.rset()[0] == 250
        assert server.docmd("RCPT TO:<a@example.com>")[0] == 503
        assert server.docmd("FLY")[0] == 500
        assert server.verify("a@example.com")[0] == 252

    with smtplib.SMTP(host, int(port), timeout=30) as server:
        assert server.helo("me")[0] == 250
        server.sendmail("", ["c@example.com"], b"Subject: bounce\r\n\r\nfrom nobody\r\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
