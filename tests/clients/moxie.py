"""A Moxie client as the document describes one, with nothing but Python's own library.

    moxie.py BASE KEY SECRET

goes through the document's scenario against the module at BASE and says on standard output what was
pushed. It ends with a traceback where an answer is not as documented.
"""

import email.utils
import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.request
import uuid


class Client:
    def __init__(self, base, key, secret):
        self.base, self.key, self.secret = base.rstrip("/"), key, secret

    def signed(self, method, url):
        """The headers of the document's example, for this request."""
        date, nonce = email.utils.formatdate(usegmt=True), uuid.uuid4().hex
        text = "\n".join([method.upper(), url, "date:" + date, "x-hmac-nonce:" + nonce])
        signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha1).hexdigest()
        return {"X-Moxie-Key": self.key, "X-HMAC-Nonce": nonce, "Date": date, "Authorization": signature}

    def call(self, method, path, body=None, sign=True):
        url = self.base + path
        headers = self.signed(method, url) if sign else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, dict(refused.headers), json.loads(refused.read())


def expect(answer, status):
    assert answer[0] == status, answer
    headers = {name.lower(): value for name, value in answer[1].items()}
    return headers, answer[2]


def main(base, key, secret):
    moxie = Client(base, key, secret)

    # Phones register, without a signature, and may do so again.
    gcm = {"registration_id": "a-phone-of-android:that-is-long-enough"}
    apns = {"device_token": "0123456789abcdef" * 4}
    for path, body in [("/register/gcm", gcm), ("/register/apns", apns)] * 2:
        assert expect(moxie.call("POST", path, body, sign=False), 202)[1] == {"success": 1}

    # The typical scenario.
    body = {"message": "Bomb threat at X", "expires": "2913-11-08T16:00:00", "url": "http://m.ox.ac.uk/x"}
    headers, created = expect(moxie.call("POST", "/", body), 201)
    ident = created["ident"]
    assert created["status"] == "created" and headers["location"].endswith("/" + ident)

    push = {"notification": ident, "message": "Bomb threat at X, avoid the area"}
    assert expect(moxie.call("POST", "/push", push), 202)[1]["status"] == "success"

    body = {"message": "security services have arrived on scene"}
    headers, followup = expect(moxie.call("POST", "/" + ident + "/followup", body), 201)
    assert followup["id"] == 1 and headers["location"].endswith(ident + "/followup/1")

    expect(moxie.call("POST", "/" + ident, {"expires": "2913-02-08T18:00:00"}), 200)

    # What others see, in the document's form and in the real server's.
    listed = expect(moxie.call("GET", "/", sign=False), 200)[1]
    (seen,) = [one for one in listed["notifications"] if one["uuid"] == ident]
    assert seen["message"] == "Bomb threat at X" and seen["expires"] == "2913-02-08T18:00:00"
    assert [one["message"] for one in seen["followups"]] == ["security services have arrived on scene"]
    (hal,) = [one for one in listed["_embedded"]["notifications"] if one["ident"] == ident]
    assert hal["_links"]["self"]["href"].endswith(ident)

    # Strangers change nothing.
    stranger = Client(base, key, "not-the-secret-at-all")
    headers, _ = expect(stranger.call("DELETE", "/" + ident), 401)
    assert headers["www-authenticate"].startswith("HMACDigest realm="), headers
    expect(moxie.call("GET", "/" + ident, sign=False), 200)

    expect(moxie.call("DELETE", "/" + ident + "/followup/1"), 200)
    assert expect(moxie.call("DELETE", "/" + ident), 200)[1] == {"status": "deleted"}
    expect(moxie.call("GET", "/" + ident, sign=False), 404)
    json.dump({"gcm": gcm["registration_id"], "apns": apns["device_token"], "ident": ident}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
