"""The parts of the page that compare: tables, sample grids. Every string from a run folder goes through `escape`."""

from collections.abc import Sequence
from html import escape
from typing import Any

from ganexp.report.comparison import MOST
from ganexp.report.grouping import Column, setting
from ganexp.report.samples import Samples
from ganexp.report.statistics import Summary
from ganexp.report.tables import UNKNOWN, Report, differences, number

NO_PICTURE = '<div class="none">no picture at this moment</div>'


def protocols(report: Report) -> str:
    if not report.letters:
        return f"<p>{UNKNOWN}</p>" if report.unknown else ""
    rows = "".join(
        f'<tr><th scope="row">[{letter}]</th><td>{"; ".join(f"{escape(k)} = {escape(v)}" for k, v in facts)}</td></tr>'
        for letter, facts in report.protocols()
    )
    return (
        f'<div class="box" tabindex="0" role="region" aria-label="Protocols"><table><caption>These runs were scored '
        f"under several protocols. Scores of different letters are different measures and are never compared. What "
        f"differs:</caption><tbody>{rows}</tbody></table></div>"
    )


def scores(report: Report) -> str:
    names = [setting(key, None)[0] for key in report.settings]
    cells = [report.cells(one) for one in report.groups]
    ranges = [_range([row[place] for row in cells]) for place in range(len(report.columns))]
    heads = [_head("configuration"), _head("seeds"), *map(_score_head, report.columns), *map(_head, names)]
    rows = []
    for one, summaries in zip(report.groups, cells, strict=True):
        notes = "".join(f'<span class="note">{escape(note)}</span>' for note in one.warnings)
        shown = [_cell(cell, len(one.counted), span) for cell, span in zip(summaries, ranges, strict=True)]
        texts = [setting_cell(key, one.settings.get(key)) for key in report.settings]
        n = len(one.counted)
        few = f' <span class="note">of {len(one.runs)}</span>' if n < len(one.runs) else ""
        rows.append(f'<tr><th scope="row">{escape(one.label)}{notes}</th><td class="n" data-sort="{n}">{n}{few}</td>'
                    f"{''.join(shown)}{''.join(texts)}</tr>")  # fmt: skip
    return _table("scores", "Scores over seeds, a configuration a row", heads, rows)


def comparisons(report: Report) -> str:
    if not report.comparisons:
        return "<p>One configuration has scores: there is nothing to compare it with.</p>"
    names = ("score", "first", "second", "verdict", "first − second", "95 % interval", "p (Holm)", "test")
    heads = [_head(name) for name in names]
    rows = []
    for one in report.comparisons:
        mean, interval, p = differences(one)
        sorts = (one.difference.mean, "" if one.difference.low is None else one.difference.low, one.p)
        numbers = "".join(f'<td class="n" data-sort="{"" if key is None else key}">{text.replace("-", "−")}</td>'
                          for key, text in zip(sorts, (mean, interval, p), strict=True))  # fmt: skip
        verdict = f'<td class="{"yes" if one.separable else "no"}">{escape(one.verdict)}</td>'
        labels = f"<td>{escape(one.first.label)}</td><td>{escape(one.second.label)}</td>"
        kind = f"<td>{one.difference.kind}</td>"
        rows.append(f'<tr><th scope="row">{escape(one.column.title)}</th>{labels}{verdict}{numbers}{kind}</tr>')
    many = f"<p>More than {MOST} configurations: each is compared with the one of the best mean.</p>"
    whole = any(one.family > MOST * (MOST - 1) // 2 for one in report.comparisons)
    return many * whole + _table("comparisons", "Differences of two configurations", heads, rows)


def uncounted(report: Report) -> str:
    if not report.uncounted:
        return ""
    rows = [
        f'<tr><th scope="row">{escape(run.label)}</th><td>{escape(run.status)}</td>'
        f"<td>{escape('; '.join(run.warnings))}</td></tr>"
        for run in report.uncounted
    ]
    heads = [_head(name) for name in ("run", "status", "why")]
    return "<h3>Runs that enter no mean</h3>" + _table("uncounted", "Runs that enter no mean", heads, rows)


def samples(samples: Samples | None) -> str:
    if samples is None:
        return "<p>Left out, as asked for by <code>images=false</code>.</p>"
    if not samples.moments:
        return "<p>These runs have no pictures.</p>"
    last, at = len(samples.moments) - 1, samples.first
    options = "".join(f"<option{' selected' * (place == at)}>{moment}</option>"
                      for place, moment in enumerate(samples.moments))  # fmt: skip
    more = f"<p>Left out, to keep the page small: {samples.left_out}.</p>" if samples.left_out else ""
    shown = []
    for place, moment in enumerate(samples.moments):
        figures = "".join(
            _figure(escape(run.label), moment, uri)
            for run, uri in zip(samples.runs, samples.pictures[place], strict=True)
        )
        shown.append(f'<div class="grids" data-moment="{place}"{" hidden" * (place != at)}>{figures}</div>')
    return (
        f'<div class="controls"><label>At <select id="moment">{options}</select></label>'
        f'<label class="wide">Walk through <input id="walk" type="range" min="0" max="{last}" value="{at}"></label>'
        f"</div>{''.join(shown)}{more}"
    )


def _figure(label: str, moment: str, uri: str | None) -> str:
    picture = f'<img src="{uri}" alt="samples of {label}, {moment}">'
    return f"<figure>{picture if uri else NO_PICTURE}<figcaption>{label}</figcaption></figure>"


def _table(name: str, caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    count = f"{len(rows)} row{'s' * (len(rows) != 1)}"
    tools = (
        f'<div class="controls"><label>Filter <input type="search" data-filters="{name}"></label>'
        f'<span class="note" role="status" data-count="{name}" data-all="{count}">{count}</span></div>'
    )
    return (
        f'{tools}<div class="box" tabindex="0" role="region" aria-label="{caption}"><table id="{name}">'
        f"<caption>{caption}</caption><thead><tr>{''.join(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "</div>"
    )


def _head(name: str, hint: str = "") -> str:
    note = f'<span class="note">{hint}</span>' * bool(hint)
    return f'<th scope="col" aria-sort="none"><button type="button">{escape(name)}{note}</button></th>'


def _score_head(column: Column) -> str:
    return _head(column.title, f"{column.better} is better" if column.better else "")


def setting_cell(key: str, value: Any) -> str:
    text = setting(key, value)[1]
    key = f' data-sort="{value}"' if isinstance(value, (int, float)) else ""
    return f"<td{key}>{escape(text)}</td>"


def _range(cells: Sequence[Summary]) -> tuple[float, float]:
    """From the lowest to the highest end of the intervals, where they are no wider than the means are apart, thrice."""
    means = [cell.mean for cell in cells if cell.n]
    ends = [end for cell in cells if cell.sd is not None for end in (cell.low, cell.high)]
    if not means:
        return 0.0, 1.0
    room = max(means) - min(means) or abs(means[0]) or 1.0
    low, high = min([*means, *ends]), max([*means, *ends])
    return max(low, min(means) - room), min(high, max(means) + room)


def _cell(cell: Summary, n: int, span: tuple[float, float]) -> str:
    if not cell.n:
        return '<td class="n" data-sort="">–</td>'
    low, width = span[0], (span[1] - span[0]) or 1.0
    at = [
        min(100.0, max(0.0, 100 * (end - low) / width)) for end in (cell.low, cell.mean, cell.high) if end is not None
    ]
    if cell.sd is None:
        more, bar = "one seed", f'<i style="left:{at[0]:.0f}%"></i>'
    else:
        more = f"sd {cell.sd:.2g} · {number(cell.low)} … {number(cell.high)}".replace("-", "−")
        bar = f'<b style="left:{at[0]:.0f}%;right:{100 - at[2]:.0f}%"></b><i style="left:{at[1]:.0f}%"></i>'
    own = "" if cell.n == n else f" (n={cell.n})"
    return (f'<td class="n" data-sort="{cell.mean:.6g}">{number(cell.mean).replace("-", "−")}{own}'
            f'<span class="bar" aria-hidden="true">{bar}</span><span class="note">{more}</span></td>')  # fmt: skip
