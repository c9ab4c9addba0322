/** Light and dark, on paper and on a phone; no outside assets. */
export const pageStyle = `
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6470;--paper:#fff;--line:#d7dce2;--good:#1a7f4b;--warn:#8a5a00;--bad:#b3261e;--mark:#2559c9}
@media (prefers-color-scheme:dark){:root{--ink:#e7eaee;--soft:#a3adb9;--paper:#14171b;--line:#343b44;--good:#58c58b;--warn:#e3ae4d;--bad:#ff8a80;--mark:#8ab0ff}}
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1.5rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line)}
header p{margin:.2rem 0;color:var(--soft)}code,pre{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}pre{white-space:pre-wrap;border:1px solid var(--line);padding:.6rem;border-radius:6px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.6rem 1.2rem;margin:.5rem 0}dt{color:var(--soft);font-size:.85rem}dd{margin:0}
.passed{color:var(--good)}.missed{color:var(--warn)}.failed{color:var(--bad)}details{margin:.4rem 0;border:1px solid var(--line);border-radius:6px;padding:.4rem .8rem}summary{cursor:pointer}
figure{margin:.8rem 0}figcaption{color:var(--soft);font-size:.85rem}svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
polyline{fill:none;stroke:var(--mark);stroke-width:2}.axis{stroke:var(--line)}.target{stroke:var(--warn);stroke-dasharray:5 4}circle{fill:var(--mark)}circle.missed{fill:var(--warn)}circle.failed{fill:var(--bad)}
@media print{body{max-width:none;padding:0;font-size:11pt}details{break-inside:avoid}details:not([open])>*{display:block}section{break-inside:avoid-page}}
`.trim();
