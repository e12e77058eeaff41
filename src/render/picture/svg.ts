/** A run as one picture that stands for itself: no script, nothing from elsewhere. */

import { methodWord } from '../../capture/catalogue.ts';
import type { CaptureSubject } from '../capture.ts';
import { shortened } from '../lines.ts';
import { Markup, markup } from '../markup.ts';
import { endText, isGood, machineText } from '../words.ts';
import { type Drawing, pictureWidth } from './drawing.ts';
import { patterns, pictureCss } from './style.ts';
import { memoryDrawing } from './svg-memory.ts';
import { timelineDrawing } from './svg-timeline.ts';

const headHeight = 98;
const headingHeight = 34;
export const margin = 20;

/** An SVG document. The same subject, the same bytes. */
export function captureSvg(subject: CaptureSubject): string {
  const { report, machine } = subject;
  const drawings = [timelineDrawing(report), memoryDrawing(report)];
  const method = methodWord(report.method, report.generation);
  const title = `${method} on ${machine}: ${report.verdict.class}`;
  return svgDocument(title, headMarks(subject), drawings);
}

/** `head`: marks of the title and what goes with it, in the first `headHeight` units. */
export function svgDocument(title: string, head: Markup, drawings: readonly Drawing[]): string {
  const parts: Markup[] = [];
  let y = headHeight;
  for (const drawing of drawings) {
    parts.push(placed(drawing, y));
    y += headingHeight + drawing.height + margin;
  }
  const width = pictureWidth + 2 * margin;
  const description = drawings.map((each) => `${each.title}: ${each.description}`).join(' ');
  return `${
    markup`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" \
viewBox="0 0 ${width} ${y}" role="img" aria-labelledby="title text">
<title id="title">${title}</title>
<desc id="text">${description}</desc>
<style>${new Markup(pictureCss)}</style>
${patterns}
<rect class="ground" width="${width}" height="${y}"/>
${head}
${parts}
</svg>`.text
  }\n`;
}

/** Wider text than this would leave the picture, in characters of the heading and of the text. */
export const headingLength = 70;
export const textLength = 105;

/** What was run, on what, how it ended. */
function headMarks({ report, machine, again }: CaptureSubject): Markup {
  const { verdict } = report;
  const method = methodWord(report.method, report.generation);
  const heading = shortened(`${method} on ${machine}`, headingLength);
  const about = shortened(`${machineText(report)}; ${again}`, textLength);
  const said = [...verdict.reasons.slice(0, 1), endText(report)].join('; ');
  const outcome = shortened(said, textLength - verdict.class.length);
  const style = isGood(verdict.class) ? 'good' : 'bad';
  return markup`<text class="heading" x="${margin}" y="30">${heading}</text>
<text class="soft" x="${margin}" y="54">${about}</text>
<text x="${margin}" y="78"><tspan class="${style}">${verdict.class}</tspan>: ${outcome}</text>`;
}

function placed({ title, body }: Drawing, y: number): Markup {
  return markup`<g transform="translate(${margin} ${y})">
<text class="heading" y="20">${title}</text>
<g transform="translate(0 ${headingHeight})">
${body}
</g></g>`;
}
