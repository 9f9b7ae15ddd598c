"""Renders the programs of chat/jinja/testdata/snippets.json with Jinja2.

The environment is that of Hugging Face transformers' chat templates. With
--check nothing is written: the exit code tells whether the file holds what
Jinja2 makes of its programs.
"""

import datetime
import json
import pathlib
import re
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILE = pathlib.Path(__file__).parents[2] / "chat/jinja/testdata/snippets.json"
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)


class Generation(Extension):
    """The tag generation, as in transformers' AssistantTracker."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("support"), [], [], body).set_lineno(lineno)

    def support(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(template, variables):
    try:
        text = environment().from_string(template).render(**variables)
        if re.search(r" at 0x[0-9a-f]+>", text):
            return {"error": "an address in the text"}
        return {"text": text}
    except Exception as e:  # whatever Jinja2 raises
        return {"error": type(e).__name__}


def main():
    data = json.loads(FILE.read_text("utf-8"))
    cases = [{"template": c["template"], **render(c["template"], data["variables"])} for c in data["cases"]]
    if "--check" in sys.argv:
        wrong = [n for o, n in zip(data["cases"], cases) if o != n]
        for c in wrong:
            print(json.dumps(c, ensure_ascii=False))
        print(f"{len(cases)} programs, {len(wrong)} with another result, Jinja2 {jinja2.__version__}")
        sys.exit(bool(wrong))
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    variables = json.dumps(data["variables"], ensure_ascii=False)
    FILE.write_text('{"variables": %s,\n"cases": [\n%s\n]}\n' % (variables, lines), "utf-8")


if __name__ == "__main__":
    main()
