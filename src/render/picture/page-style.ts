/** How the page of a capture looks; the colours are those of its pictures. */

export const pageCss = `
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif;
}
main { max-width: 1040px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 {
  font-size: 1.15rem; margin: 36px 0 10px;
  padding-bottom: 4px; border-bottom: 1px solid var(--line);
}
p { margin: 8px 0; max-width: 75ch; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.verdict {
  border-left: 6px solid; border-radius: 4px; background: var(--panel);
  padding: 12px 16px; margin: 16px 0;
}
.verdict.good { border-color: var(--good); }
.verdict.bad { border-color: var(--bad); }
.verdict strong { font-size: 1.15rem; }
strong.good, table .good { color: var(--good); }
strong.bad, table .bad { color: var(--bad); }
table .good, table .bad { font-weight: 600; }
ul { margin: 8px 0; padding-left: 22px; }
code, pre { font: 0.86em/1.5 ui-monospace, 'DejaVu Sans Mono', Menlo, monospace; }
code { overflow-wrap: anywhere; unicode-bidi: isolate; }
pre {
  background: var(--panel); border: 1px solid var(--line); border-radius: 4px;
  padding: 10px 14px; margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere;
}
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 12px 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
caption { text-align: left; color: var(--soft); padding: 4px 0 6px; }
th, td {
  text-align: left; vertical-align: top;
  padding: 5px 20px 5px 0; border-bottom: 1px solid var(--line);
}
th { font-weight: 600; }
td { overflow-wrap: break-word; }
.table + .table { margin-top: 18px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; }
details { margin: 10px 0; }
summary { cursor: pointer; }
@media (max-width: 640px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; } }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .table { overflow: visible; }
  figure, tr, .verdict, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
