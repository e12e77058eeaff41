/** The time line as marks of a picture. */

import { plural } from '../../bytes/text.ts';
import type { CaptureReport } from '../../trial/report.ts';
import { shortened } from '../lines.ts';
import { type Markup, markup } from '../markup.ts';
import { endText, virtualTime } from '../words.ts';
import { type Drawing, pictureWidth, textWidth } from './drawing.ts';
import { type Axis, type Lane, type Span, timelineOf } from './timeline.ts';

const left = 216;
const right = pictureWidth - 100;
const top = 30;
const pitch = 23;
const barHeight = 15;
/** Between the stages and who was busy. */
const groupGap = 14;

export function timelineDrawing(report: CaptureReport): Drawing {
  const { lanes, axis, failedNs } = timelineOf(report);
  const stages = lanes.filter(({ kind }) => kind !== 'activity');
  const others = lanes.filter(({ kind }) => kind === 'activity');
  const othersTop = top + stages.length * pitch + (others.length > 0 ? groupGap : 0);
  const bottom = othersTop + others.length * pitch;
  const scale =
    axis.scale === 'linear'
      ? 'to scale'
      : 'log scale: a stage that took ten times as long is one step wider';
  const end = failedNs === undefined ? [] : [endLine(xOf(axis, failedNs), bottom)];
  return {
    title: 'Time line',
    description:
      `${plural(stages.length, 'stage')} on an axis of virtual time, ${scale}. ` +
      `Course of the run: ${endText(report)}.`,
    height: bottom + 26,
    body: [
      ...tickMarks(axis, bottom),
      ...stages.map((lane, index) => laneMarks(lane, axis, top + index * pitch)),
      ...others.map((lane, index) => laneMarks(lane, axis, othersTop + index * pitch)),
      ...end,
      markup`<text class="tick" x="${left}" y="${bottom + 20}">virtual time since the instant \
of the panic, ${scale}</text>`,
    ],
  };
}

function xOf(axis: Axis, ns: number): number {
  return left + axis.at(ns) * (right - left);
}

function laneMarks(lane: Lane, axis: Axis, y: number): Markup {
  const isFailed = lane.kind === 'failed stage';
  const time = isFailed ? `✗ ${virtualTime(lane.ns)}` : virtualTime(lane.ns);
  const whats = [...new Set(lane.spans.map(({ what }) => what))];
  const bars = lane.spans.map((span) => {
    const busy = whats.indexOf(span.what) % 2 === 0 ? 'busy' : 'busy-too';
    const style = lane.kind === 'activity' ? busy : lane.kind.replace(' ', '-');
    return barMarks(lane, span, style, axis, y);
  });
  return markup`<text x="${left - 12}" y="${y + 13}" class="end${isFailed ? ' bad' : ''}">\
${shortened(lane.name, 26)}</text>
${bars}
<text x="${pictureWidth - 8}" y="${y + 13}" class="end ${isFailed ? 'bad' : 'soft'}">\
${time}</text>`;
}

function barMarks(lane: Lane, span: Span, style: string, axis: Axis, y: number): Markup {
  const { what, startNs, endNs } = span;
  const x = xOf(axis, startNs);
  const width = Math.max(2, xOf(axis, endNs) - x);
  const times = `${virtualTime(startNs)} to ${virtualTime(endNs)}`;
  const isNamed = lane.kind === 'activity' && textWidth(what, 12) + 8 < width;
  const name = isNamed
    ? markup`<text class="on-busy" x="${x + 5}" y="${y + 12}">${what}</text>`
    : markup``;
  const title = lane.name === what ? what : `${lane.name}, ${what}`;
  return markup`<rect class="${style}" x="${x}" y="${y + 1}" width="${width}" \
height="${barHeight}" rx="2"><title>${title}: ${times}</title></rect>${name}`;
}

/** Labels that have room, first the ends; a line for each. */
function tickMarks(axis: Axis, bottom: number): Markup[] {
  const taken: { from: number; to: number }[] = [];
  const labels = new Set<string>();
  const marks: Markup[] = [];
  const { ticks } = axis;
  for (const ns of [ticks[0]!, ticks.at(-1)!, ...ticks]) {
    const label = virtualTime(ns);
    const x = xOf(axis, ns);
    const half = textWidth(label, 12.5) / 2 + 5;
    const isTaken = taken.some(({ from, to }) => x - half < to && x + half > from);
    if (isTaken || labels.has(label)) continue;
    labels.add(label);
    taken.push({ from: x - half, to: x + half });
    marks.push(
      markup`<path class="line" d="M${x} ${top - 6}V${bottom}"/>\
<text class="tick middle" x="${x}" y="${top - 12}">${label}</text>`,
    );
  }
  return marks;
}

function endLine(x: number, bottom: number): Markup {
  return markup`<path class="stop" d="M${x} ${top - 6}V${bottom}"/>`;
}
