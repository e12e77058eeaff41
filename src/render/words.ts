/** The words of a capture report that its text, its pictures and its page share. */

import { humanSize, plural, shellWord } from '../bytes/text.ts';
import type { FaultNote } from '../trial/faults/strike.ts';
import type { CaptureReport, StageReport } from '../trial/report.ts';
import type { VerdictClass } from '../trial/verdict-classes.ts';

/** `2.0 us`, `16.1 ms`, `7.604 s`: virtual time. */
export function virtualTime(ns: number): string {
  if (ns === 0) return '0';
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} us`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(ns < 100e9 ? 3 : 0)} s`;
}

/** `0x1f000` of `0x000000000001f000`. */
export function shortAddress(address: string): string {
  return address.replace(/^0x0+(?=.)/, '0x');
}

export function hexAddress(address: number): string {
  return `0x${address.toString(16)}`;
}

/** `6.1.0, 2 CPUs, 96.0 MB, virtio-scsi, devices as saved with the image`. */
export function machineText({ machine }: CaptureReport): string {
  const { release, cpus, ramBytes, hardware, devices } = machine;
  const origin = devices === 'side file' ? 'devices as saved with the image' : 'synthetic devices';
  return [
    release ?? 'unknown kernel', plural(cpus, 'CPU'), humanSize(ramBytes), hardware, origin,
  ].join(', '); // biome-ignore format: one list
}

export function effectText({ effect, writes }: FaultNote): string {
  switch (effect) {
    case 'done':
      return writes.length > 0 ? 'struck' : 'in effect';
    case 'prevented':
      return 'prevented, nothing was changed';
    case 'scheduled':
      return 'strikes while the method runs';
  }
}

type WriteNote = FaultNote['writes'][number];

/** What became of a write of a fault. */
export function outcomeText({ before, after, outcome, atNs }: WriteNote): string {
  // Long ones are told by their size, which is the same before and after.
  const both = before === after ? `${after} overwritten` : `${before} -> ${after}`;
  const change = before === undefined ? after : both;
  switch (outcome) {
    case 'done':
      return change;
    case 'scheduled':
      return `${change}, ${virtualTime(atNs ?? 0)} after the instant`;
    case 'unchanged':
      return `unchanged: ${after} was there already`;
    case 'read-only':
      return "prevented: the page is read-only to a CPU, so the fault is the writer's";
    case 'not mapped':
      return 'prevented: no page tables lead there';
    case 'no memory':
      return 'prevented: the machine has no memory there';
  }
}

/** `on CPU 0: Kernel panic - not syncing: Fatal exception (panic_cpu is 0)`. */
export function panicText({ panic: { cpu, message, evidence } }: CaptureReport): string {
  return `on CPU ${cpu}: ${message === '' ? 'no message' : message} (${evidence})`;
}

/** `kimage+0x10, 0xffff888000810010, physical 0x810010`. */
export function placeText({ symbol, virtual, physical }: WriteNote): string {
  const places = [symbol, virtual, physical && `physical ${shortAddress(physical)}`];
  return places.filter((place) => place !== undefined).join(', ');
}

/** `nested fault at __kexec_lock`; `refused at sda1`. */
export function failureText({ kind, object }: StageReport): string {
  const way = kind ?? 'failed';
  return object === undefined ? way : `${way} at ${object}`;
}

/** Virtual time from the instant to the end of the run. */
export function endOf({ stages }: CaptureReport): number {
  return stages.reduce((end, { endNs }) => Math.max(end, endNs), 0);
}

/** Where the run ended, without the cause. */
export function endText(report: CaptureReport): string {
  const { failed, stages } = report;
  if (stages.length === 0) return 'nothing called the method';
  if (failed === undefined) return `reached its end after ${virtualTime(endOf(report))}`;
  return `ended in ${failed.name} after ${virtualTime(failed.endNs)}: ${failureText(failed)}`;
}

/** What the disk held when the run ended. */
export function safeText({ disk, verdict }: CaptureReport): string {
  if (disk.bytes === 0) return 'nothing';
  const lost = disk.lost === 0 ? '' : `, but ${humanSize(disk.lost)} that its cache lost`;
  const written = `${humanSize(disk.bytes)} in ${plural(disk.commands, 'command')}${lost}`;
  if (verdict.pages === undefined) return `${written}, of which no file could be made`;
  const { due, absent } = verdict.pages;
  return `${written}; ${due - absent} of ${due} pages due in the file`;
}

const withoutReason: readonly VerdictClass[] = ['complete', 'not-triggered', 'undecidable'];

/** The measured reason, in a sentence; undefined where the verdict needs none. */
export function whyText({ verdict, faults, why }: CaptureReport): string | undefined {
  if (withoutReason.includes(verdict.class)) return undefined;
  if (faults.length === 0) return 'no fault was given: the method fails on this machine as it is';
  if (why === undefined) return 'not measured';
  const { smallest } = why;
  if (smallest.length === 0) return 'no fault is to blame: it fails without any of them';
  return `smallest change that would have made it succeed: leave out ${smallest.join(' and ')}`;
}

/** Where a file is worth opening, the command that does; else the one that has a closer look. */
export function nextCommand(
  verdict: VerdictClass,
  file: string | undefined,
  closer: string,
): string {
  const opens = verdict !== 'unreadable' && verdict !== 'none';
  return opens && file !== undefined ? `tsdump analyze ${shellWord(file)}` : closer;
}

/** Verdicts that no one has to be afraid of. */
export function isGood(verdict: VerdictClass): boolean {
  return verdict === 'complete' || verdict === 'partial';
}

/** What was done, for somebody who never saw it. */
export function introductionText(report: CaptureReport, machine: string): string {
  const { method, faults, saved, stages, failed, format, verdict } = report;
  const struck =
    faults.length === 0 ? '' : `${plural(faults.length, 'fault')} befell it right before that. `;
  const file = `was saved after the reboot as a dump in ${format.toUpperCase()} format`;
  const course =
    failed === undefined
      ? `took a dump of it, in ${plural(stages.length, 'stage')} of virtual time`
      : `set out to take a dump of it and ended in its stage "${failed.name}"`;
  const result =
    saved === undefined
      ? 'No dump came out of it.'
      : verdict.pages === undefined
        ? `What it left on its disk ${file}.`
        : `What it left on its disk ${file} and compared with that memory page by page.`;
  return (
    `What ${machine} holds is the memory of a real Linux machine that panicked. It was brought ` +
    `back to life at that instant, with emulated hardware around it. ${struck}Then ${method} ` +
    `${course}. ${result}`
  );
}
