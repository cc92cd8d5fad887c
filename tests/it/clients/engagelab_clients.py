"""EngageLab's own client, and JPush's, unchanged, against a running Fanfare.

engagelab_clients.py BASE_URL APP_KEY MASTER_SECRET
"""

import json
import sys
import time
import urllib.request

import engagelab
import jpush
from jpush import common

BASE, KEY, SECRET = sys.argv[1:]
client = engagelab.Client(KEY, SECRET, base_url=BASE)


def refused(call, status, code):
    try:
        call()
    except engagelab.ApiError as error:
        assert (error.status_code, error.error.code) == (status, code), error
        return
    raise AssertionError(f"not refused with {code}")


def register(platform, tokens):
    param = engagelab.DeviceTokenRegisterParam(platform=platform, tokens=tokens)
    results = client.device.register_token(param).results
    assert [result.code for result in results] == [0] * len(tokens), results
    return results


def finished(msg_id, targets):
    """Waits until a message has so many targets; its counts."""
    deadline = time.monotonic() + 60
    while True:
        counts = client.status.message_detail([msg_id]).get(msg_id)
        assert counts is not None, msg_id
        if counts["targets"] >= targets:
            return counts
        assert time.monotonic() < deadline, counts
        time.sleep(0.02)


def limit(per_second):
    """Sets the app's rate, which EngageLab's API has no call for."""
    body = json.dumps({"app": per_second}).encode()
    request = urllib.request.Request(f"{BASE}/limits", data=body, method="PUT")
    request.add_header("Authorization", f"Bearer {SECRET}")
    urllib.request.urlopen(request, timeout=30).close()


def push(to, **body):
    body.setdefault("notification", engagelab.NotificationMessage(alert="hello"))
    body.setdefault("platform", "all")
    return engagelab.PushParam(to=to, body=engagelab.PushBody(**body))


# Devices.
phones = register("ios", [f"{number:064x}" for number in range(1, 4)])
droid = register("android", ["android-token-" + "x" * 120])[0]
browser = register("web", ["web-token-" + "y" * 120])[0]
assert all(result.is_new for result in phones)
again = register("ios", [phones[0].token])[0]
assert (again.registration_id, again.is_new) == (phones[0].registration_id, False)
one, two, three = (result.registration_id for result in phones)

tags = engagelab.DeviceSetTags(add=["vip", "标签"], remove=["never"])
assert client.device.set(one, engagelab.DeviceSetParam(tags=tags, alias="anna")) is None
shown = client.device.get(one)
assert (shown.tags, shown.alias) == (["vip", "标签"], "anna"), shown
refused(lambda: client.device.set(two, engagelab.DeviceSetParam(alias="anna")), 400, 27010)
refused(lambda: client.device.set(two, engagelab.DeviceSetParam(alias="a" * 41)), 401, 27017)
refused(lambda: client.device.get("nobody"), 400, 27005)
status = client.device.get_status(engagelab.DeviceStatusGetParam(registration_ids=[one, two]))
assert [(row["regid"], row["online"]) for row in status] == [(one, True), (two, True)], status

# Tags.
members = engagelab.TagRegistrationIDs(add=[two, droid.registration_id])
client.tag.set("vip", engagelab.TagSetParam(registration_ids=members))
unknown = engagelab.TagRegistrationIDs(add=["nobody"])
refused(lambda: client.tag.set("vip", engagelab.TagSetParam(registration_ids=unknown)), 400, 27005)
assert client.tag.list().tags == ["vip", "标签"]
counts = client.tag.get_count(["vip", "标签", "none"], "ios").tags_count
assert counts == {"vip": 2, "标签": 1, "none": 0}, counts
assert client.tag.get_device_status("vip", one).result is True
assert client.tag.get_device_status("vip", three).result is False
quota = client.tag.get_quota(["vip"], "android").data
assert (quota["useTagQuota"], quota["useAliasQuota"]) == (2, 1), quota
assert quota["tagUidQuotaDetail"][0]["useUidQuota"] == 1, quota

# Aliases.
assert client.alias.get("anna").registration_ids == [one]
assert client.alias.get("anna", ["android", "web"]).registration_ids is None

# JPush's client reads; its writing calls want the success as JSON (see `success_json`).
zone = {name: f"{BASE}/v4/" for name in ("PUSH", "REPORT", "SCHEDULE", "ADMIN")}
zone |= {
    "DEVICE": f"{BASE}/v4/devices/",
    "ALIAS": f"{BASE}/v4/aliases/",
    "TAG": f"{BASE}/v4/tags/",
}
common.ZONES["LOCAL"] = zone
devices = jpush.JPush(KEY, SECRET, zone="local").create_device()
assert devices.get_taglist().payload == {"tags": ["vip", "标签"]}
assert devices.get_deviceinfo(one).payload == {"tags": ["vip", "标签"], "alias": "anna"}
assert devices.check_taguserexist("vip", one).payload == {"result": True}
assert devices.get_aliasuser("anna", "ios").payload == {"registration_ids": [one]}
assert devices.get_device_status([two]).payload == [{"regid": two, "online": True}]
try:
    jpush.JPush(KEY, "wrong", zone="local").create_device().get_taglist()
    raise AssertionError("a wrong secret is taken")
except common.Unauthorized:
    pass

# Pushes.
sent = client.push.send(push("all"))
assert sent.msg_id.isdigit(), sent
counts = finished(sent.msg_id, 5)
assert (counts["targets"], counts["sent"]) == (5, 5), counts
to = engagelab.PushTo
for audience, targets in [
    (to(tag=["vip"]), 3),
    (to(tag_and=["vip", "标签"]), 1),
    (to(tag=["vip"], tag_not=["标签"]), 2),
    (to(alias=["anna"]), 1),
    (to(registration_id=[three, browser.registration_id]), 2),
]:
    counts = finished(client.push.send(push(audience)).msg_id, targets)
    assert (counts["targets"], counts["sent"]) == (targets, targets), (audience, counts)
counts = finished(client.push.send(push("all", platform=["ios"])).msg_id, 3)
assert counts["sent"] == 3, counts
message = engagelab.CustomMessage(msg_content={"k": "v"}, title="t")
client.push.send(push(to(alias=["anna"]), notification=None, message=message))
assert client.push.validate(push("all")).msg_id.isdigit()
refused(lambda: client.push.send(push(to(registration_id=["nobody"]))), 400, 20101)
refused(lambda: client.push.send(push(None)), 400, 21002)
# At one push a second there is time to take one back; what was sent cannot be.
limit(1)
slow = client.push.send(push("all"))
assert client.push.withdraw(slow.msg_id).msg_id == slow.msg_id
limit(0)
refused(lambda: client.push.withdraw(slow.msg_id), 400, 21003)
refused(lambda: client.push.withdraw(sent.msg_id), 400, 21003)

# What is taken away is gone.
client.device.set(one, engagelab.DeviceSetParam(tags=""))
assert client.device.get(one).tags is None
client.alias.delete("anna")
assert client.alias.get("anna").registration_ids is None
client.tag.delete("vip", ["ios"])
assert client.tag.get_count(["vip"], "android").tags_count == {"vip": 1}
client.tag.delete("vip")
assert client.tag.list().tags is None
client.device.delete(one)
refused(lambda: client.device.get(one), 400, 27005)
refused(lambda: engagelab.Client("short", SECRET, base_url=BASE).tag.list(), 400, 21008)
