"""`ddplint rules` and `ddplint explain`."""

from __future__ import annotations

import json

import click

from ddplint.cli.options import rule_options
from ddplint.cli.output import EXIT_CLEAN, print_text, stdout_style
from ddplint.documentation import page_url, render
from ddplint.ignores import EXPLANATIONS
from ddplint.registry import BUILT_IN, Catalogue
from ddplint.report.style import printable
from ddplint.selection import find_rule


@click.command("rules", short_help="List the rules.")
@rule_options
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="A table, or a JSON list.")
def rules_command(output_format: str, catalogue: Catalogue) -> int:
    """List the rules, and where those come from that are not ddplint's own."""
    print_text(_as_json(catalogue) if output_format == "json" else _as_table(catalogue))
    return EXIT_CLEAN


def _as_json(catalogue: Catalogue) -> str:
    rows = [
        {
            "code": rule.code,
            "name": rule.name,
            "severity": rule.severity,
            "summary": rule.summary,
            "url": page_url(rule.code, rule.name),
            "origin": catalogue.origin(rule),
        }
        for rule in catalogue.rules
    ]
    return json.dumps(rows, indent=2) + "\n"


def _as_table(catalogue: Catalogue) -> str:
    style = stdout_style()
    width = max((len(rule.code) for rule in catalogue.rules), default=0)
    longest = max((len(rule.name) for rule in catalogue.rules), default=0)
    rows = []
    for rule in catalogue.rules:
        code = style.bold(f"{rule.code:<{width}}")
        severity = style.severity(f"{rule.severity:<7}", rule.severity)
        origin = "" if catalogue.origin(rule) == BUILT_IN else f"  ({printable(catalogue.origin(rule))})"
        rows.append(f"{code}  {rule.name:<{longest}}  {severity}  {rule.summary}{origin}\n")
    return "".join(rows)


@click.command("explain", short_help="Explain a rule, with an example.")
@rule_options
@click.argument("rule")
def explain_command(rule: str, catalogue: Catalogue) -> int:
    """Explain one RULE, given by code or name: what, why, an example, what to write instead."""
    for (code, name), text in EXPLANATIONS.items():
        if rule.upper() == code or rule.lower() == name:
            print_text(f"# {code} {name} (warning)\n\n{text}\n")
            return EXIT_CLEAN
    found = find_rule(catalogue.rules, rule)
    print_text(render(found.code, found.name, found.severity, found.documentation))
    return EXIT_CLEAN
