/**
 * How the page of a comparison looks besides what all pages share. Shades get darker from none to
 * all, for every kind of colour vision (ColorBrewer's YlGnBu); changes are orange and blue; colours
 * of mixes are Okabe's and Ito's. Counts, signs and shapes say the same.
 */

export const chartCss = `
:root {
  --shade-0: #ffffd0; --shade-1: #c7e9b4; --shade-2: #7fcdbb;
  --shade-3: #41b6c4; --shade-4: #2573ae; --shade-5: #1d2f85; --shade-6: var(--not-due);
  --on-shade-0: #1c2733; --on-shade-1: #1c2733; --on-shade-2: #12222e;
  --on-shade-3: #071a24; --on-shade-4: #ffffff; --on-shade-5: #ffffff; --on-shade-6: var(--ink);
  --change-0: #b35806; --change-1: #fbc088; --change-2: var(--panel); --change-3: #abcfe8;
  --change-4: #2166ac; --on-change-0: #ffffff; --on-change-1: #1c2733;
  --on-change-2: var(--ink); --on-change-3: #12222e; --on-change-4: #ffffff;
  --mix-0: #0072b2; --mix-1: #b85c00; --mix-2: #00805e;
  --mix-3: #a8497f; --mix-4: #1f6f8b; --mix-5: #6b5d00;
}
@media screen and (prefers-color-scheme: dark) {
:root {
  --mix-0: #56b4e9; --mix-1: #e69f00; --mix-2: #2fc799;
  --mix-3: #e39ac6; --mix-4: #9ad7ea; --mix-5: #f0e442;
}
}
main { max-width: 1100px; }
.verdict.open { border-color: var(--soft); }
nav ul { columns: 2; column-gap: 40px; padding-left: 20px; font-size: 0.92rem; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 3px; }
figure { overflow-x: auto; }
figure svg.chart { min-width: 760px; font-family: inherit; }
figcaption { color: var(--soft); font-size: 0.92em; margin-top: 6px; }
svg .mark-text { pointer-events: none; }
th code, td { overflow-wrap: break-word; }
details ol { padding-left: 26px; }
summary { padding: 3px 0; overflow-wrap: anywhere; }
pre { user-select: all; }
@media (max-width: 640px) { nav ul { columns: 1; } }
@media print {
  nav { display: none; }
  figure svg.chart { min-width: 0; }
  table { font-size: 8pt; }
  th, td { padding-right: 8px; }
}
`;
