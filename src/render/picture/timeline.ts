/**
 * The time line of a run, before it is drawn: one lane a stage, then one a CPU or device, on one
 * axis of virtual time.
 *
 * A boot takes a million times as long as the panic path before it. Where one stage is a hundred
 * times as long as another, the axis is cut at the stages' borders and each piece is as wide as the
 * logarithm of its time: every stage stays visible, in order, and lanes still line up. Within a
 * piece time is linear.
 */

import type { ActivityReport, RunReport } from '../../trial/report.ts';

export interface Span {
  readonly what: string;
  readonly startNs: number;
  readonly endNs: number;
}

export interface Lane {
  readonly name: string;
  readonly kind: 'stage' | 'failed stage' | 'activity';
  readonly spans: readonly Span[];
  /** The time of all spans. */
  readonly ns: number;
}

export interface Timeline {
  readonly lanes: readonly Lane[];
  readonly axis: Axis;
  /** Where the run ended before its end. */
  readonly failedNs: number | undefined;
}

export interface Axis {
  readonly scale: 'linear' | 'logarithmic';
  /** Ascending; worth a label, the last one is the end. */
  readonly ticks: readonly number[];
  /** 0 to 1 along the axis. */
  at(ns: number): number;
}

/** How many times as long as another a stage must be for the logarithm. */
const contrast = 100;

export function timelineOf(report: RunReport): Timeline {
  const { stages, activity, failed } = report;
  const stageLanes = stages.map(({ name, result, startNs, endNs }): Lane => {
    const kind = result === 'ok' ? 'stage' : 'failed stage';
    return { name, kind, spans: [{ what: name, startNs, endNs }], ns: endNs - startNs };
  });
  return {
    lanes: [...stageLanes, ...activityLanes(activity)],
    axis: axisOf(report),
    failedNs: failed?.endNs,
  };
}

/** In the order in which they are first met. */
function activityLanes(activity: readonly ActivityReport[]): Lane[] {
  const byLane = new Map<string, Span[]>();
  for (const { lane, what, startNs, endNs } of activity) {
    const spans = byLane.get(lane) ?? [];
    spans.push({ what, startNs, endNs });
    byLane.set(lane, spans);
  }
  return [...byLane].map(([name, spans]) => {
    const ns = spans.reduce((sum, span) => sum + span.endNs - span.startNs, 0);
    return { name, kind: 'activity', spans, ns };
  });
}

function axisOf({ stages, activity }: RunReport): Axis {
  const times = [...stages, ...activity].map(({ endNs }) => endNs);
  const end = times.reduce((latest, ns) => Math.max(latest, ns), 0) || 1;
  const durations = stages.map(({ startNs, endNs }) => endNs - startNs).filter((ns) => ns > 0);
  const shortest = durations.reduce((least, ns) => Math.min(least, ns), end);
  const longest = durations.reduce((most, ns) => Math.max(most, ns), 0);
  if (longest < contrast * shortest) {
    return { scale: 'linear', ticks: evenTicks(end), at: (ns) => between(ns / end) };
  }
  const borders = [0, ...stages.flatMap(({ startNs, endNs }) => [startNs, endNs]), end];
  const cuts = [...new Set(borders)].sort((a, b) => a - b);
  return logarithmic(cuts, shortest);
}

/** `cuts` ascending, the first 0; `shortest` ns are one unit wide, ten times as many are two. */
function logarithmic(cuts: readonly number[], shortest: number): Axis {
  const offsets = [0];
  for (let index = 1; index < cuts.length; index++) {
    const ns = cuts[index]! - cuts[index - 1]!;
    offsets.push(offsets.at(-1)! + Math.log10(1 + (9 * ns) / shortest));
  }
  const width = offsets.at(-1)!;
  const at = (ns: number): number => {
    let piece = 1;
    while (piece < cuts.length - 1 && ns > cuts[piece]!) piece++;
    const start = cuts[piece - 1]!;
    const share = between((ns - start) / (cuts[piece]! - start));
    return between((offsets[piece - 1]! + share * (offsets[piece]! - offsets[piece - 1]!)) / width);
  };
  return { scale: 'logarithmic', ticks: cuts, at };
}

/** 0, some round numbers, and the end. */
function evenTicks(end: number): number[] {
  const rough = end / 4;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * decade).find((each) => each >= rough)!;
  const ticks: number[] = [];
  for (let index = 0; index * step < end; index++) ticks.push(index * step);
  return [...ticks, end];
}

function between(share: number): number {
  return Math.min(1, Math.max(0, share));
}
