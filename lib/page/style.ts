/** The page's style sheet: light and dark, from 320 pixels to wide, on paper. */
export const style = `
:root{color-scheme:light dark;--bg:#faf9f6;--panel:#fff;--ink:#1b1a18;--soft:#5f5c56;--line:#e3dfd7;--faint:#efece5;--good:#23784f;--more:#124a30;--warn:#9a6200;--warnfill:#d9962a;--bad:#b3261e;--quiet:#6f6b64;--out:#b9b3a7;--foreign:#d8d3c8;--accent:#245ea8}
@media (prefers-color-scheme:dark){:root{--bg:#131417;--panel:#1b1d21;--ink:#ebe9e4;--soft:#a5a29b;--line:#2f3238;--faint:#22252a;--good:#56b98a;--more:#a5efca;--warn:#e7b458;--warnfill:#d89a35;--bad:#ff857b;--quiet:#9b978f;--out:#5a5c62;--foreign:#3a3d43;--accent:#8ab8f5}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main,footer{max-width:1320px;margin:0 auto;padding:0 clamp(16px,3vw,40px)}
main{padding-top:clamp(20px,4vw,48px)}
section{margin-top:clamp(32px,5vw,56px)}
h1{font-size:clamp(1.45rem,1rem + 2.2vw,2.5rem);line-height:1.18;font-weight:650;letter-spacing:-.015em;margin:0;max-width:30ch;text-wrap:balance}
h2{font-size:1.2rem;font-weight:650;letter-spacing:-.01em;margin:0 0 14px}
h3{font-size:.95rem;font-weight:650;margin:18px 0 6px}
p{margin:0 0 8px}
small,.note,.kicker,.rule,figcaption{color:var(--soft)}
small{font-size:.85em}
code{font:.88em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;background:var(--faint);border-radius:4px;padding:1px 5px;overflow-wrap:anywhere;-webkit-user-select:all;user-select:all}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
[hidden]{display:none!important}
.name,th,li,dd{overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.answer{border-left:6px solid var(--tone);padding:2px 0 2px clamp(14px,2vw,24px)}
.answer .kicker{margin-bottom:6px}.answer .rule{margin:10px 0 0}
.good{--tone:var(--good)}.warn{--tone:var(--warn)}.bad{--tone:var(--bad)}.quiet{--tone:var(--quiet)}
.figures{display:flex;flex-wrap:wrap;gap:1px;margin:clamp(22px,3vw,36px) 0 0;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.figures div{flex:1 1 140px;background:var(--panel);padding:14px 16px}
.figures dt{color:var(--soft);font-size:.85rem}
.figures dd{margin:2px 0 0;font-size:1.5rem;font-weight:620;letter-spacing:-.01em;line-height:1.25}
.figures dd small{display:block;font-size:.8rem;font-weight:400;letter-spacing:0;min-height:1.3em}
.todo{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
.todo li{border-bottom:1px solid var(--line);padding:12px 0 6px}
.todo p{margin:0 0 4px;max-width:90ch}
.state{color:var(--tone);font-weight:600;white-space:nowrap}
.state::before{content:"\\25CF\\00A0" / "";font-size:.8em;position:relative;top:-.08em}
.good .state::before{content:"\\2713\\00A0" / "";font-size:1em;top:0}
.bad .state::before{content:"\\2715\\00A0" / "";font-size:1em;top:0}
.warn .state::before{content:"\\25B2\\00A0" / ""}
.quiet .state::before{content:"\\2013\\00A0" / "";top:0}
td.state{white-space:normal}
.bar{display:block;width:100%;height:16px;border-radius:5px}
.bar.thin{height:5px;border-radius:3px;margin-top:5px}
.p-ok{fill:var(--good);--key:var(--good)}.p-stale{fill:var(--warnfill);--key:var(--warnfill)}.p-missing,.p-never,.p-unsupported{fill:var(--bad);--key:var(--bad)}.p-out{fill:var(--out);--key:var(--out)}.p-foreign{fill:var(--foreign);--key:var(--foreign)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;padding:0;margin:12px 0 0;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:7px}
.legend i{width:11px;height:11px;border-radius:3px;background:var(--key);flex:none}
.legend .key{width:7px;height:17.5px;flex:none;overflow:visible}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,290px),1fr));gap:24px clamp(24px,4vw,56px);margin-top:26px}
table{border-collapse:collapse;width:100%}
th{font-weight:500;text-align:left}
thead th{color:var(--soft);font-size:.85rem;font-weight:500;border-bottom:1px solid var(--line);padding:0 10px 6px 0;vertical-align:bottom}
.groups td,.groups tbody th,.numbers td,.numbers tbody th,.lines td,.lines tbody th{padding:7px 10px 7px 0;border-bottom:1px solid var(--faint);vertical-align:top}
.groups td,.groups th+th,.numbers td,.numbers th+th{text-align:right;white-space:nowrap}
.groups td:last-child,.groups th:last-child,.numbers td:last-child,.numbers th:last-child{padding-right:0}
details{margin-top:10px}summary{cursor:pointer;color:var(--accent);font-size:.9rem;width:fit-content}
.scroll{overflow-x:auto}.numbers{font-size:.88rem}.numbers th+th{white-space:normal}
.lines{font-size:.9rem;width:auto;min-width:min(100%,420px)}.lines td+td,.lines td:nth-of-type(n){padding-left:18px}.lines td,.lines thead th{white-space:nowrap}.lines thead th+th{padding-left:18px}.lines tbody th{min-width:14ch}
.tools{display:flex;flex-wrap:wrap;gap:10px 14px;align-items:center;margin:18px 0 10px}
.tools>label{color:var(--soft)}
.tools input[type=search]{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--out);border-radius:8px;padding:7px 11px;width:min(100%,320px);flex:1 1 180px;max-width:380px}
.tools fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:4px}
.tools fieldset label{position:relative;cursor:pointer}
.tools fieldset input{position:absolute;inset:0;opacity:0;margin:0;cursor:pointer}
.tools fieldset span{display:block;border:1px solid transparent;border-radius:99px;padding:4px 12px;color:var(--soft)}
.tools fieldset input:checked+span{border-color:var(--out);background:var(--panel);color:var(--ink)}
.tools fieldset input:focus-visible+span{outline:2px solid var(--accent);outline-offset:1px}
#found{margin:0}
#claims{table-layout:fixed;font-size:.92rem}
#claims>thead th{border:0;box-shadow:0 1px var(--line);position:sticky;top:0;background:var(--bg);z-index:1;padding-top:8px}
#claims thead button{all:unset;cursor:pointer;white-space:nowrap}
#claims thead button:disabled,#claims tbody button:disabled{cursor:default}
#claims thead button:focus-visible,#claims tbody button:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
#claims th[aria-sort] button{color:var(--ink);font-weight:600}
#claims th[aria-sort=ascending] button::after{content:" \\2191" / ""}
#claims th[aria-sort=descending] button::after{content:" \\2193" / ""}
#claims .c1{width:116px}#claims .c2{width:104px}#claims .c3{width:92px}#claims .c4{width:88px}#claims .cal{width:630px}
#claims tbody th,#claims tbody td{border-bottom:1px solid var(--faint);padding:6px 10px 6px 0;vertical-align:middle}
#claims tbody th small{font-weight:400;white-space:nowrap}
#claims tbody th button{all:unset;cursor:pointer;font-weight:600;overflow-wrap:anywhere;margin-right:8px}
#claims tbody th button span{color:var(--soft);font-weight:400}
#claims tbody th button:hover{text-decoration:underline;text-underline-offset:3px}
#claims td.cal,#claims th.cal{padding-right:0}
#claims .cal svg{display:block;width:100%;height:17.5px;max-width:630px;margin-left:auto}
.cal text{font-size:1.55px;fill:var(--soft)}
path.b,path.s,path.u,path.n,path.f{fill:none;stroke-dasharray:.78 .22}
path.b{stroke:var(--good);stroke-width:1.9}
path.s{stroke:var(--more);stroke-width:2.5}
path.u{stroke:var(--warnfill);stroke-width:.7}
path.n{stroke:var(--out);stroke-width:.28}
path.f{stroke:var(--bad);stroke-width:.24;stroke-dasharray:none}
.open>td{padding:4px 0 26px!important;background:var(--bg)}
.open>td>div:first-child{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:6px 48px;padding-top:10px}
.open .scroll{max-height:26em;overflow:auto;max-width:820px}.open .scroll thead th{position:sticky;top:0;background:var(--bg)}
.open h3:first-child{margin-top:0}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 18px;margin:0;align-content:start}
.facts dt,.commands dt{color:var(--soft)}
.facts dd,.commands dd{margin:0}
.commands{margin:0 0 10px}.commands dd{margin:1px 0 8px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:26px clamp(24px,3vw,44px)}
figure{margin:0}figcaption{font-size:.9rem;margin-bottom:6px}figure .note{font-size:.9rem;margin:4px 0 0}
.plot{display:block;width:100%;height:auto;overflow:visible}
.plot text{font-size:11px;fill:var(--soft)}.plot .grid{stroke:var(--line);stroke-width:1}.plot .mark{fill:var(--accent)}.plot .line{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}.plot .fill{fill:var(--accent);opacity:.14}
.warnings{margin:0;padding-left:1.1em}
footer{color:var(--soft);font-size:.85rem;margin-top:64px;padding-bottom:40px}
#tip{position:fixed;z-index:2;pointer-events:none;background:var(--ink);color:var(--bg);font-size:.82rem;padding:4px 9px;border-radius:6px;max-width:90vw}
@media (max-width:1180px){#claims .cal{width:46%}}
@media (max-width:1000px){#claims .c3,#claims>tbody>tr:not(.open)>td:nth-of-type(3){display:none}#claims .cal{width:36%}.figures div{flex-basis:28%}}
@media (max-width:720px){#claims .c4,#claims>tbody>tr:not(.open)>td:nth-of-type(4){display:none}#claims .cal{width:34%}#claims .c1{width:96px}#claims .c2{width:84px}}
@media (max-width:480px){body{font-size:14px}#claims .c2,#claims>tbody>tr:not(.open)>td:nth-of-type(2){display:none}#claims .c1{width:108px}#claims .cal{width:64px}#claims tbody th button span{display:block}#claims tbody th small{display:block;white-space:normal}#claims tbody th,#claims tbody td{padding-right:8px}.figures div{flex-basis:40%;padding:11px 12px}.figures dd{font-size:1.25rem}.tools fieldset span{padding:4px 9px}}
@media (forced-colors:active){path.b,path.s,path.u,path.n,path.f{stroke:CanvasText}.bar rect{stroke:Canvas;stroke-width:.3}}
@media (prefers-reduced-motion:no-preference){summary,#claims tbody th button{transition:color .1s}}
@media print{:root{--bg:#fff;--panel:#fff;--ink:#000;--soft:#444;--line:#bbb;--faint:#ddd;--good:#23784f;--more:#124a30;--warn:#7d5000;--bad:#a3170f;--accent:#245ea8;color-scheme:light}body{font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}main,footer{max-width:none;padding:0}.tools,#tip{display:none!important}.figures div{flex-basis:30%}#claims thead th{position:static}tr,figure,.todo li,.figures div{break-inside:avoid}h2{break-after:avoid}section{margin-top:22pt}.scroll,.open .scroll{overflow:visible;max-height:none}#claims .cal{width:40%}}
`;
