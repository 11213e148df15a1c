"""A graph as one HTML page that needs nothing else: the picture to move and zoom, and a table."""

from __future__ import annotations

from typing import Final

from turnout.graph import Graph
from turnout.graph.binding import path_text
from turnout.observe.describe import binding_text
from turnout.observe.render_svg import draw, xml_text
from turnout.observe.sketch import Box, sketch

__all__ = ["render_html"]

_HIDDEN: Final = frozenset({"decision", "join", "port", "result"})

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--ink:#0f172a;--dim:#52607a;--rule:#dbe1ea;--soft:#f5f7fa;
--hot:#e0559a}
@media (prefers-color-scheme:dark){:root{--bg:#0f141c;--ink:#e6ebf3;--dim:#9aa8bd;--rule:#2b3648;
--soft:#161d29;--hot:#f58bbd}}
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:grid;grid-template-rows:minmax(40%,1fr) auto;background:var(--bg);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
#stage{position:relative;overflow:hidden;cursor:grab;touch-action:none;min-height:0}
#stage.moving{cursor:grabbing}
#stage svg{position:absolute;left:0;top:0;transform-origin:0 0;max-width:none}
#tools{position:absolute;right:14px;top:12px;display:flex;gap:6px}
button,input{font:inherit;color:inherit;background:var(--soft);border:1px solid var(--rule);
border-radius:7px;padding:4px 11px}
button{cursor:pointer}
button:hover{border-color:var(--dim)}
#list{border-top:1px solid var(--rule);max-height:42vh;overflow:auto;background:var(--bg)}
#bar{position:sticky;top:0;display:flex;gap:14px;align-items:center;padding:9px 16px;
background:var(--bg);border-bottom:1px solid var(--rule);flex-wrap:wrap}
#bar span{color:var(--dim)}
table{border-collapse:collapse;width:100%}
th{font-weight:600;color:var(--dim);font-size:12px;text-align:left}
th,td{padding:6px 16px;vertical-align:top;border-bottom:1px solid var(--rule)}
tbody tr{cursor:pointer}
tbody tr:hover,tbody tr.picked{background:var(--soft)}
tr.picked td:first-child{box-shadow:inset 3px 0 var(--hot)}
td code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
overflow-wrap:anywhere}
td.name{font-weight:600;white-space:nowrap}
.turnout .picked .shape{stroke-width:3.5}
.node,.group{cursor:pointer}
"""

_SCRIPT: Final = """
"use strict";
const stage=document.getElementById("stage"),svg=stage.querySelector("svg");
const rows=[...document.querySelectorAll("tbody tr")];
const shapes=[...svg.querySelectorAll("[data-key]")];
const arrows=[...svg.querySelectorAll(".arrow")];
const size={w:svg.width.baseVal.value,h:svg.height.baseVal.value};
let view={x:0,y:0,k:1},touched=false;
const apply=()=>{svg.style.transform=`translate(${view.x}px,${view.y}px) scale(${view.k})`};
function fit(){const w=stage.clientWidth,h=stage.clientHeight;
 view.k=Math.max(Math.min(1.25,w/size.w,h/size.h),0.3);view.x=Math.max((w-size.w*view.k)/2,0);
 view.y=Math.max((h-size.h*view.k)/2,0);apply()}
function zoom(f,cx=stage.clientWidth/2,cy=stage.clientHeight/2){touched=true;
 const k=Math.min(6,Math.max(0.05,view.k*f)),r=k/view.k;
 view.x=cx-(cx-view.x)*r;view.y=cy-(cy-view.y)*r;view.k=k;apply()}
stage.addEventListener("wheel",e=>{e.preventDefault();const b=stage.getBoundingClientRect();
 zoom(Math.exp(-e.deltaY*(e.deltaMode?0.05:0.0016)),e.clientX-b.left,e.clientY-b.top)},{passive:false});
const held=new Map();let moved=0;
stage.addEventListener("pointerdown",e=>{if(e.target.closest("#tools"))return;
 held.set(e.pointerId,e);moved=0});
stage.addEventListener("pointermove",e=>{const last=held.get(e.pointerId);if(!last)return;
 const dx=e.clientX-last.clientX,dy=e.clientY-last.clientY;
 if(held.size===1){view.x+=dx;view.y+=dy;touched=true;apply()}
 else{const other=[...held.values()].find(p=>p.pointerId!==e.pointerId);
  const d=p=>Math.hypot(p.clientX-other.clientX,p.clientY-other.clientY);
  const b=stage.getBoundingClientRect();
  zoom(d(e)/Math.max(d(last),1),other.clientX-b.left,other.clientY-b.top)}
 moved+=Math.abs(dx)+Math.abs(dy);
 if(moved>4&&!stage.classList.contains("moving")){
  stage.classList.add("moving");stage.setPointerCapture(e.pointerId)}
 held.set(e.pointerId,e)});
const drop=e=>{held.delete(e.pointerId);stage.classList.remove("moving")};
stage.addEventListener("pointerup",drop);stage.addEventListener("pointercancel",drop);
function pick(key,show){
 rows.forEach(r=>r.classList.toggle("picked",r.dataset.key===key));
 shapes.forEach(s=>s.classList.toggle("picked",s.dataset.key===key));
 const inside=k=>key!==null&&(k===key||k.startsWith(key+"/"));
 arrows.forEach(a=>a.classList.toggle("hot",inside(a.dataset.source)!==inside(a.dataset.target)));
 const row=rows.find(r=>r.dataset.key===key),shape=shapes.find(s=>s.dataset.key===key);
 if(row&&show!=="shape")row.scrollIntoView({block:"nearest"});
 if(shape&&show==="shape"){const b=stage.getBoundingClientRect(),s=shape.getBoundingClientRect();
  view.x+=b.left+b.width/2-s.left-s.width/2;view.y+=b.top+b.height/2-s.top-s.height/2;touched=true;apply()}}
rows.forEach(r=>r.addEventListener("click",()=>pick(r.dataset.key,"shape")));
stage.addEventListener("click",e=>{if(moved>4||e.target.closest("#tools"))return;
 const s=e.target.closest("[data-key]");let key=s?s.dataset.key:null;
 while(key&&!rows.some(r=>r.dataset.key===key))key=key.includes("/")?key.slice(0,key.lastIndexOf("/")):null;
 pick(key,"row")});
document.getElementById("find").addEventListener("input",e=>{const t=e.target.value.toLowerCase();
 rows.forEach(r=>{r.hidden=!r.textContent.toLowerCase().includes(t)})});
document.getElementById("in").onclick=()=>zoom(1.3);
document.getElementById("out").onclick=()=>zoom(1/1.3);
document.getElementById("fit").onclick=()=>{touched=false;fit()};
addEventListener("resize",()=>{if(!touched)fit()});fit();
"""


def render_html(graph: Graph) -> str:
    """A graph as one HTML page without anything from elsewhere.

    The picture moves and zooms; the table tells inputs and options of each node, and finds
    them. The page's own policy forbids it to load anything.

    >>> render_html(Graph(name="hello")).startswith("<!doctype html>")
    True
    """
    picture = sketch(graph)
    drawing = draw(picture)
    boxes = [box for outer in picture.boxes for box in outer.walk() if box.kind not in _HIDDEN]
    rows = "\n".join(_row(box) for box in boxes)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{xml_text(picture.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<div id="stage">
{drawing}<div id="tools"><button id="out" title="smaller">&minus;</button>
<button id="in" title="larger">+</button><button id="fit">fit</button></div>
</div>
<div id="list">
<div id="bar"><input id="find" type="search" placeholder="find a node" aria-label="find a node">
<span>{_summary(graph, boxes)}</span></div>
<table>
<thead><tr><th>node</th><th>kind</th><th>calls</th><th>inputs</th><th>options</th><th>line</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _summary(graph: Graph, boxes: list[Box]) -> str:
    nodes = sum(1 for box in boxes if box.kind != "fail")
    parts = [f"{nodes} node{'s' * (nodes != 1)}"]
    if graph.result is not None:
        parts.append(f"returns {binding_text(graph.result, graph)}")
    if graph.fixed:
        fixed = [
            path_text(item.path) + (" (keys)" if item.what == "keys" else "")
            for item in graph.fixed
        ]
        parts.append(f"fixed: {', '.join(fixed)}")
    return xml_text(" · ".join(parts))


def _row(box: Box) -> str:
    facts = dict(box.facts)
    inputs = [f"{name}={text}" for name, text in box.takes]
    if box.kind == "branch":
        inputs = [f"{'' if case == 'else' else 'if '}{case}: {text}" for case, text in box.takes]
    if "after" in facts:
        inputs.append(f"after {facts['after']}")
    cells = [
        facts.get("kind", box.kind) + (" (on failure)" if box.handler else ""),
        facts.get("task") or facts.get("workflow", ""),
    ]
    cells_html = "".join(f"<td>{xml_text(cell)}</td>" for cell in cells)
    taken = "<br/>".join(f"<code>{xml_text(item)}</code>" for item in inputs)
    options, line = xml_text(facts.get("options", "")), xml_text(facts.get("line", ""))
    name = xml_text(box.key if box.kind != "fail" else f"{box.key.rpartition('/')[0]} fails")
    return (
        f'<tr data-key="{xml_text(box.key)}">'
        f'<td class="name">{name}</td>{cells_html}<td>{taken}</td>'
        f"<td><code>{options}</code></td><td><code>{line}</code></td></tr>"
    )
