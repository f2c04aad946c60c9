// SPDX-License-Identifier: MIT
#include "audit/html_parts.h"

namespace postcensus::audit {
namespace {

// c: colours of lines and marks, f: of what is filled under them. Every line has dashes of its own (s in the
// pictures, k in their legends): nobody has to tell the colours apart. Letters have a contrast of 4.5:1 or
// more. The dark colours are for screens only: paper is white.
const char* const kStyle = R"css(
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--ink:#1b2430;--soft:#566173;--line:#dde1e7;--grid:#e6e9ee;--head:#f7f8fa;
--alarm:#9b1c1c;--alarm-page:#fdf3f2;--calm:#1f6b43;--calm-page:#f0f8f3;
--c1:#1f5fa8;--c2:#9a6200;--c3:#1f7a4d;--c4:#6b45a8;--c5:#b02a20;--c6:#5d6675;--c7:#0b6e7d;
--f1:#a9c6e8;--f2:#f1d29b;--f3:#a8d8bd;--f4:#cdbce9;--f5:#f2b5ae;--f6:#d3d8df;--f7:#9fd3db}
@media screen and (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1a2029;--ink:#e4e8ee;--soft:#a3adbb;--line:#303945;--grid:#2a323d;--head:#202732;
--alarm:#ffaaa1;--alarm-page:#2c1a1b;--calm:#8fd8ae;--calm-page:#16261e;
--c1:#7fb2ef;--c2:#e8b455;--c3:#6dcb98;--c4:#bda0f0;--c5:#f5938a;--c6:#a7b0be;--c7:#5fcbd9;
--f1:#284a73;--f2:#5e4718;--f3:#22543b;--f4:#463468;--f5:#6b2e2a;--f6:#414a57;--f7:#1b5660}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
header,main{max-width:76rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2rem}
header p{margin:0;color:var(--soft)}
.brand{font-weight:600;letter-spacing:.02em}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .4rem;font-weight:650}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 .6rem;font-weight:650}
h3{font-size:.95rem;margin:0 0 .5rem;font-weight:600}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.2rem 1.4rem;margin:1.2rem 0}
section>:last-child{margin-bottom:0}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em;white-space:nowrap}
.alarm{border-color:var(--alarm);border-left-width:6px;background:var(--alarm-page)}
.alarm h2,.alarm strong{color:var(--alarm)}
.alarm ul{margin:0;padding:0;list-style:none}
.alarm li{display:grid;grid-template-columns:10.5rem minmax(0,1fr);gap:0 .8rem;padding:.45rem 0;border-top:1px solid var(--line)}
.alarm bdi{text-align:left}
.alarm li:first-child{border-top:0;padding-top:0}
.calm{border-color:var(--calm);border-left-width:6px;background:var(--calm-page)}
.calm h2{color:var(--calm)}
.calm p{margin:0}
.note,.cut,.none,.unit{color:var(--soft)}
.note{margin:0 0 .8rem;max-width:48rem}
.cut{margin:.7rem 0 0;font-size:.9rem}
.none{margin:0}
.unit{font-weight:400}
.figures{display:grid;grid-template-columns:repeat(4,1fr);gap:1.1rem 1.4rem;margin:0}
.figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.figures dt{color:var(--soft);font-size:.87rem;line-height:1.35}
.figures dd{margin:0;font-size:1.6rem;font-weight:600;line-height:1.25}
.small{margin-bottom:1.2rem;grid-template-columns:repeat(auto-fit,minmax(7rem,1fr))}
.small dd{font-size:1.2rem}
.charts{display:grid;grid-template-columns:1fr 1fr;gap:2rem 2.2rem}
figure{margin:0;min-width:0}
svg{display:block;width:100%;height:auto}
svg text{font-size:12.5px;fill:var(--soft)}
.e{text-anchor:end}
.m{text-anchor:middle}
.grid,.axis{fill:none;stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--soft)}
.bar{fill:var(--f1);stroke:var(--c1);stroke-width:1}
.f1{fill:var(--f1)}.f2{fill:var(--f2)}.f3{fill:var(--f3)}.f4{fill:var(--f4)}.f5{fill:var(--f5)}.f6{fill:var(--f6)}.f7{fill:var(--f7)}
.s1,.s2,.s3,.s4,.s5,.s6,.s7{fill:none;stroke-width:1.6}
.s1{stroke:var(--c1)}
.s2{stroke:var(--c2);stroke-dasharray:2 2}
.s3{stroke:var(--c3);stroke-dasharray:9 3}
.s4{stroke:var(--c4);stroke-dasharray:5 3}
.s5{stroke:var(--c5);stroke-dasharray:9 3 2 3}
.s6{stroke:var(--c6);stroke-dasharray:1 3}
.s7{stroke:var(--c7);stroke-dasharray:14 3}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;margin:.5rem 0 0;padding:0;font-size:.87rem;color:var(--soft)}
.legend li{position:relative;padding-left:36px}
.legend b{white-space:nowrap;color:var(--ink);font-weight:600}
.key{position:absolute;left:0;top:.35em;width:28px;height:12px;background:no-repeat 0 0/100% 3px}
.k1{background-color:var(--f1);background-image:linear-gradient(var(--c1),var(--c1))}
.k2{background-color:var(--f2);background-image:repeating-linear-gradient(90deg,var(--c2) 0 2px,transparent 0 4px)}
.k3{background-color:var(--f3);background-image:repeating-linear-gradient(90deg,var(--c3) 0 9px,transparent 0 12px)}
.k4{background-color:var(--f4);background-image:repeating-linear-gradient(90deg,var(--c4) 0 5px,transparent 0 8px)}
.k5{background-color:var(--f5);background-image:repeating-linear-gradient(90deg,var(--c5) 0 9px,transparent 0 12px,var(--c5) 0 14px,transparent 0 17px)}
.k6{background-color:var(--f6);background-image:repeating-linear-gradient(90deg,var(--c6) 0 1px,transparent 0 4px)}
.k7{background-color:var(--f7);background-image:repeating-linear-gradient(90deg,var(--c7) 0 14px,transparent 0 17px)}
.thin{background-color:transparent;background-position:0 50%}
/* The heading above says it to those who see it. */
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
table{position:relative;border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.4}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-top:1px solid var(--line)}
thead th{background:var(--head);border-top:0;color:var(--soft);font-weight:600;font-size:.83rem;vertical-align:bottom;overflow-wrap:normal}
tbody th{font-weight:500;min-width:13rem}
.scroll+.note{margin-top:.8rem}
.n{text-align:right}
td.n{white-space:nowrap}
time{white-space:nowrap}
.list td:not(.n):not(.w){min-width:11rem}
.list tbody th{min-width:16rem}
.w,.list tbody th.w{min-width:5.6rem}
.scroll,.rows{overflow-x:auto}
.scroll:focus-visible{outline:2px solid var(--c1);outline-offset:3px}
.pair{max-width:46rem}
.mark{color:var(--alarm);font-size:.83rem;display:block}
@media (max-width:1000px){.charts{grid-template-columns:1fr}}
@media screen and (max-width:760px){
header,main{padding:0 .75rem}
header{padding-top:1.2rem}
h1{font-size:1.5rem}
section{padding:1rem .9rem;margin:.8rem 0}
.figures{grid-template-columns:1fr 1fr}
.figures dd{font-size:1.35rem}
.alarm li{grid-template-columns:1fr}
.wide tbody th{position:sticky;left:0;background:var(--card);min-width:8.5rem;max-width:11rem}
.list,.list tbody,.list tr,.list th,.list td{display:block}
.list tbody th,.list tbody th.w,.list td.w{min-width:0}
.list thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.list tr{border-top:1px solid var(--line);padding:.55rem 0}
.list tbody th{border:0;padding:0 0 .15rem;font-weight:600}
.list td{display:grid;grid-template-columns:7.2rem minmax(0,1fr);gap:.6rem;border:0;padding:.1rem 0}
.list td:not(.n):not(.w){min-width:0}
.list td.n{text-align:left;white-space:normal}
.list td.o{display:none}
.list td::before{content:attr(data-h);color:var(--soft)}
}
@media screen and (max-width:520px){svg text{font-size:17px}}
@media print{
@page{margin:14mm}
:root{color-scheme:light;--page:#fff}
html{font-size:13px}
body{font-size:1rem}
svg text{font-size:14px}
header,main{max-width:none;padding:0}
header{padding-top:0}
section{border:0;border-top:1px solid var(--line);border-radius:0;padding:.7rem 0;margin:.7rem 0;background:none}
.alarm,.calm{border:1px solid var(--alarm);border-left-width:6px;padding:.7rem}
.calm{border-color:var(--calm)}
.charts{grid-template-columns:1fr 1fr;gap:1rem 1.4rem}
figure,tr,.figures,.alarm li{break-inside:avoid}
h2,h3,.note{break-after:avoid}
thead{display:table-header-group}
.scroll,.rows{overflow:visible}
table{font-size:7.8pt}
th,td{padding:.2rem .35rem}
thead th{font-size:7.2pt}
.wide thead th{overflow-wrap:anywhere}
tbody th,.list tbody th,.list tbody th.w,.list td.w{min-width:0}
.list td:not(.n):not(.w){min-width:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
)css";

}  // namespace

const char* style_sheet() {
    return kStyle;
}

}  // namespace postcensus::audit
