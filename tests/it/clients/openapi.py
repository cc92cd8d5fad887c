"""The document against the validator of OpenAPI, and real answers against the document.

Reads stories (`[{"name", "document", "steps": [{"method", "path", "status", "type", "sent", "answer"}]}]`) from
the file that is named, prints everything that is wrong, a line each, and ends with 1 where anything is.
"""

import copy
import json
import re
import sys
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = "urn:document"


def strict(schema):
    """The same, where an answer may hold nothing that the document does not tell of."""
    if isinstance(schema, dict):
        named = {key: strict(value) for key, value in schema.items()}
        if isinstance(schema.get("properties"), dict):
            named.setdefault("additionalProperties", False)
        return named
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    return schema


class Document:
    """A document, and what it says of bodies."""

    def __init__(self, document):
        self.document = document
        closed = copy.deepcopy(document)
        closed["components"]["schemas"] = strict(document["components"]["schemas"])
        self.open = self.registry(document)
        self.closed = self.registry(closed)
        self.paths = [(self.pattern(path), path) for path in document["paths"]]

    @staticmethod
    def registry(document):
        resource = Resource(contents=document, specification=DRAFT202012)
        return Registry().with_resource(ROOT, resource)

    @staticmethod
    def pattern(path):
        parts = re.split(r"\{[^}]*\}", path)
        return re.compile("[^/]+".join(map(re.escape, parts)) + "/?$")

    def operation(self, method, path):
        """The operation of a request: of the paths that fit, the most literal one's, as the server routes."""
        fits = [template for pattern, template in self.paths if pattern.match(path)]
        template = min(fits, key=lambda template: template.count("{"), default=None)
        return template, self.document["paths"].get(template, {}).get(method.lower())

    def errors(self, schema, value, closed):
        registry = self.closed if closed else self.open
        schema = rooted(strict(schema) if closed else schema)
        found = Draft202012Validator(schema, registry=registry).iter_errors(value)
        return [f"{error.json_path}: {error.message[:200]}" for error in found]


def rooted(schema):
    """The same, its references leading into the document."""
    if isinstance(schema, dict):
        return {
            key: ROOT + value if key == "$ref" else rooted(value) for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [rooted(item) for item in schema]
    return schema


def check_examples(document, name, wrong):
    for path, item in document.document["paths"].items():
        for method, operation in item.items():
            bodies = {"sends": operation.get("requestBody", {})}
            bodies.update(operation["responses"])
            for place, body in bodies.items():
                for media, content in body.get("content", {}).items():
                    if "example" in content and "json" in media:
                        found = document.errors(content["schema"], content["example"], True)
                        told = (f"{name}: the example of {method} {path} {place}: {e}" for e in found)
                        wrong.extend(told)


def check_step(document, name, step, wrong):
    place = f"{name}: {step['method']} {step['path']} {step['status']}"
    path = urlsplit(step["path"]).path
    template, operation = document.operation(step["method"], path)
    if operation is None:
        # No such path or verb: there is nothing to be told of it.
        if step["status"] not in (404, 405) and step["method"] != "HEAD":
            wrong.append(f"{place}: nothing tells of it")
        return None
    if step["status"] == 405:
        wrong.append(f"{place}: the document has this verb")
        return None
    response = operation["responses"].get(str(step["status"]))
    if response is None:
        wrong.append(f"{place}: the document does not tell of this status")
        return None
    media = step["type"].split(";")[0]
    content = response.get("content", {})
    if media and step["answer"] != "":
        if media not in content and "*/*" not in content:
            wrong.append(f"{place}: the document does not tell of {media}")
        elif "json" in media:
            found = document.errors(content[media]["schema"], step["answer"], True)
            wrong.extend(f"{place}: {error}" for error in found)
    if step["status"] < 300 and step["sent"] is not None:
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if schema is None:
            wrong.append(f"{place}: the document does not tell of a body")
        else:
            found = document.errors(schema["schema"], step["sent"], False)
            wrong.extend(f"{place}: sent {error}" for error in found)
    return f"{step['method']} {template} {step['status']}"


def main():
    stories = json.load(open(sys.argv[1], encoding="utf-8"))
    wrong, seen, validated = [], set(), set()
    for story in stories:
        text = json.dumps(story["document"], sort_keys=True)
        document = Document(story["document"])
        if text not in validated:
            validated.add(text)
            found = OpenAPIV31SpecValidator(story["document"]).iter_errors()
            wrong.extend(f"{story['name']}: invalid: {error.message[:300]}" for error in found)
            check_examples(document, story["name"], wrong)
        for step in story["steps"]:
            seen.add(check_step(document, story["name"], step, wrong))
    print("\n".join(wrong))
    print(f"{len(validated)} documents, {len(seen)} operations with their status", file=sys.stderr)
    sys.exit(1 if wrong or len(seen) < 50 else 0)


main()
