/**
 * How pictures look, on light and dark ground and on paper. Colours are told apart with every kind
 * of colour vision (after Okabe and Ito); what is wrong has a pattern besides.
 */

import { Markup } from '../markup.ts';

const light = `
  --ground: #ffffff; --ink: #1c2733; --soft: #55626f; --line: #dde3e9; --panel: #f5f7f9;
  --good: #1f7a54; --bad: #b3261e; --busy: #74a7da; --busy-too: #b4d0ea; --on-busy: #0d1b2a;
  --not-due: #e6eaee; --not-judged: #ccd5de; --equal: #a5d3bd; --excused: #5b9bd5;
  --absent: #f0b04c; --damaged: #b07cc6; --different: #c2331f; --reserved: #6a4fb3;
  --stroke: #5a3b00;`;

const dark = `
  --ground: #12171c; --ink: #e8edf2; --soft: #a3b0bc; --line: #2d3741; --panel: #1a2129;
  --good: #58c493; --bad: #ff8a7a; --busy: #74a7da; --busy-too: #4f83b8; --on-busy: #06111d;
  --not-due: #252d35; --not-judged: #3a4652; --equal: #2e7355; --excused: #5b9bd5;
  --absent: #d99a35; --damaged: #a86bc4; --different: #ff6a55; --reserved: #a58cf0;
  --stroke: #2a1b00;`;

export const colourCss = `
:root {${light}
}
@media screen and (prefers-color-scheme: dark) {
:root {${dark}
}
}
`;

export const pictureCss = `${colourCss}\
svg { font: 14px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
svg .ground { fill: var(--ground); }
svg .heading { font-size: 18px; font-weight: 600; }
svg .soft, svg .tick { fill: var(--soft); }
svg .tick { font-size: 12.5px; }
svg .mono { font: 12.5px ui-monospace, 'DejaVu Sans Mono', Menlo, monospace; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .line { stroke: var(--line); stroke-width: 1; }
svg .stage, svg .good { fill: var(--good); }
svg .failed-stage, svg .bad { fill: var(--bad); }
svg .bad, svg .good { font-weight: 600; }
svg .stop { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .busy { fill: var(--busy); }
svg .busy-too { fill: var(--busy-too); }
svg .on-busy { fill: var(--on-busy); font-size: 12px; pointer-events: none; }
svg .not-due { fill: var(--not-due); }
svg .not-judged { fill: var(--not-judged); }
svg .equal { fill: var(--equal); }
svg .excused { fill: var(--excused); }
svg .absent { fill: url(#absent); }
svg .damaged { fill: url(#damaged); }
svg .different { fill: var(--different); }
svg .absent-ground { fill: var(--absent); }
svg .damaged-ground { fill: var(--damaged); }
svg .hatch { stroke: var(--stroke); stroke-width: 1; fill: none; }
svg .grid { stroke: var(--ground); stroke-width: 0.6; }
svg .reserved { fill: var(--reserved); }
svg .structures { fill: var(--ground); stroke: var(--ink); stroke-width: 1.2; }
svg .code { fill: var(--ink); }
svg .strike { fill: var(--bad); stroke: var(--ground); stroke-width: 1.5; }
svg .strike-letter { fill: var(--ground); font: 700 10px ui-monospace, monospace; }
`;

/** The patterns that `pictureCss` refers to; once a document. */
export const patterns = new Markup(`<defs>
<pattern id="absent" width="6" height="6" patternUnits="userSpaceOnUse">
<rect class="absent-ground" width="6" height="6"/><path class="hatch" d="M0 6L6 0"/></pattern>
<pattern id="damaged" width="6" height="6" patternUnits="userSpaceOnUse">
<rect class="damaged-ground" width="6" height="6"/>
<path class="hatch" d="M0 6L6 0M0 0L6 6"/></pattern>
<pattern id="cells" width="6" height="12" patternUnits="userSpaceOnUse">
<path class="grid" d="M0 0V12"/></pattern>
</defs>`);
