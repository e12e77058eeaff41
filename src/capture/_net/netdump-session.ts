/**
 * Red Hat's netdump from the server's side: it asks for page size, number of pages and registers,
 * then for every page, several at a time, and writes an ELF vmcore in which each page has its place
 * from the start. The server's own program is not among our sources: how many pages it asks for at
 * a time and when it asks again are ours.
 */

import { assert } from '../../bytes/errors.ts';
import { decodeUtf8 } from '../../bytes/text.ts';
import { Elf64Header, Elf64Phdr, flagIncomplete } from '../../dump/elf/layout.ts';
import { elfHeaders, elfNotes, type Load } from '../../dump/elf/write.ts';
import { NT_PRSTATUS } from '../../dump/notes.ts';
import type { ElfNote } from '../../dump/types.ts';
import { Code, Command, joined, type Reply, type Request } from './protocol.ts';
import {
  type Asked,
  answered,
  ask,
  askedBy,
  assembled,
  giveUp,
  type ServerLimits,
  type ServerStore,
  type SessionBase,
} from './session.ts';

/** Plain data. */
export interface NetdumpSession extends SessionBase {
  readonly protocol: 'netdump';
  pageSize: number;
  nrPages: number;
  /** Descriptor of its NT_PRSTATUS note. */
  registers: Uint8Array | undefined;
  /** The next page to ask for. */
  next: number;
  /** Pages in the file: first, and one past the last; ascending, apart. */
  runs: [first: number, end: number][];
  /** Pages that the client could not read. */
  errors: number;
  /** What has come of the text that VMCOREINFO is. */
  vmcoreinfo: Uint8Array | undefined;
  /** Whether the headers say what is in the file. */
  isSettled: boolean;
}

/** 64 packets: what a receive ring of that time takes. */
export const maxWindow = 16;
/** More runs than these are the free list of a client that plays. */
const maxLoads = 4096;
const notesAt = Elf64Header.size + (maxLoads + 1) * Elf64Phdr.size;
/** Notes are below: registers of one CPU and a page of VMCOREINFO. */
const dataAt = 256 * 1024;
const maxVmcoreinfo = 4096;
/** What is asked for before the pages, in this order. */
const questions = [Command.getPageSize, Command.getNrPages, Command.getRegs] as const;

export function netdumpSession(base: SessionBase): NetdumpSession {
  const size = base.greeting.vmcoreinfo?.size ?? 0;
  return {
    ...base,
    protocol: 'netdump',
    pageSize: 0,
    nrPages: 0,
    registers: undefined,
    next: 0,
    runs: [],
    errors: 0,
    vmcoreinfo: size > 0 && size <= maxVmcoreinfo ? new Uint8Array(size) : undefined,
    isSettled: true,
  };
}

/** What it asks first. */
export function firstQuestion(session: NetdumpSession, nowNs: number): Request[] {
  return [ask(session, questions[0], 0, nowNs)];
}

export function onNetdumpReply(
  session: NetdumpSession,
  reply: Reply,
  nowNs: number,
  store: ServerStore,
  limits: ServerLimits,
): Request[] {
  const one = askedBy(session, reply);
  if (one === undefined || session.phase !== 'open') return [];
  if (one.command === Command.sendMem) return onPage(session, one, reply, nowNs, store, limits);
  if (one.command === Command.reboot) {
    if (reply.code === Code.endNetdump) session.phase = session.outcome ?? 'given up';
    return [];
  }
  if (!isTaken(session, one, reply, limits)) return [];
  answered(session, one, nowNs);
  if (session.phase !== 'open') return [];
  const question = questions[questions.indexOf(one.command as (typeof questions)[number]) + 1];
  if (question !== undefined) return [ask(session, question, 0, nowNs)];
  return askForPages(session, nowNs, store, limits);
}

/** Takes the answer to one of the questions; false: it is none. */
function isTaken(
  session: NetdumpSession,
  { command }: Pick<Asked, 'command'>,
  { code, info, payload }: Reply,
  limits: ServerLimits,
): boolean {
  if (command === Command.getPageSize && code === Code.pageSize) {
    session.pageSize = info;
    if (info !== 4096) giveUp(session, `its pages have ${info} bytes`);
    return true;
  }
  if (command === Command.getNrPages && code === Code.nrPages) {
    session.nrPages = info;
    const bytes = info * session.pageSize;
    if (bytes > limits.bytes) {
      giveUp(session, `its ${bytes} bytes of memory are more than the limit, ${limits.bytes}`);
    }
    return true;
  }
  if (command === Command.getRegs && code === Code.regs) {
    session.registers = joined(payload).slice();
    return true;
  }
  return false;
}

function onPage(
  session: NetdumpSession,
  one: Asked,
  reply: Reply,
  nowNs: number,
  store: ServerStore,
  limits: ServerLimits,
): Request[] {
  const { pageSize } = session;
  if (reply.code === Code.mem) {
    const page = assembled(one, reply, pageSize);
    session.heardNs = nowNs;
    if (page === undefined) return [];
    answered(session, one, nowNs);
    keepPage(session, one.from, page, store);
  } else if (reply.code === Code.reserved) {
    answered(session, one, nowNs);
    // The next page of RAM; what was asked for meanwhile is answered for itself.
    session.next = Math.max(session.next, Math.min(reply.info, session.nrPages));
  } else if (reply.code === Code.error) {
    answered(session, one, nowNs);
    session.errors++;
  }
  return askForPages(session, nowNs, store, limits);
}

function askForPages(
  session: NetdumpSession,
  nowNs: number,
  store: ServerStore,
  { window }: ServerLimits,
): Request[] {
  const requests: Request[] = [];
  while (
    session.phase === 'open' &&
    session.asked.length < window &&
    session.next < session.nrPages
  ) {
    requests.push(ask(session, Command.sendMem, session.next++, nowNs));
  }
  if (session.phase !== 'open' || session.asked.length > 0) return requests;
  conclude(session, store);
  return [...requests, ask(session, Command.reboot, 0, nowNs)];
}

/** All that was asked for is answered: the file is whole, or never will be. */
function conclude(session: NetdumpSession, store: ServerStore): void {
  session.outcome = session.errors > 0 ? 'given up' : 'done';
  // Its headers say that it is not whole where the last page was none.
  session.isSettled = session.bytes === 0;
  settle(session, store);
  if (session.errors > 0) session.cause = `${session.errors} pages could not be read`;
  else if (session.bytes > 0) store.complete(session.name);
}

function keepPage(
  session: NetdumpSession,
  pfn: number,
  page: readonly Uint8Array[],
  store: ServerStore,
): void {
  if (!addToRuns(session.runs, pfn)) {
    giveUp(session, `its memory is in more than ${maxLoads} pieces`);
    return;
  }
  const sink = store.incomplete(session.name);
  const offset = dataAt + pfn * session.pageSize;
  // A page that came in one piece is kept as it is where it is kept in memory.
  if (sink.writeKept !== undefined) sink.writeKept(offset, page);
  else sink.write(offset, joined(page));
  session.bytes += session.pageSize;
  session.isSettled = false;
  noteVmcoreinfo(session, pfn, page);
}

/** Pages come nearly in order: the window apart. False: there are too many runs. */
function addToRuns(runs: [number, number][], pfn: number): boolean {
  let at = runs.length;
  while (at > 0 && runs[at - 1]![0] > pfn) at--;
  const before = runs[at - 1];
  const after = runs[at];
  if (before !== undefined && pfn < before[1]) return true;
  if (before?.[1] === pfn) {
    before[1] = pfn + 1;
    if (after?.[0] === before[1]) {
      before[1] = after[1];
      runs.splice(at, 1);
    }
  } else if (after?.[0] === pfn + 1) {
    after[0] = pfn;
  } else {
    if (runs.length >= maxLoads) return false;
    runs.splice(at, 0, [pfn, pfn + 1]);
  }
  return true;
}

function noteVmcoreinfo(
  { greeting, vmcoreinfo, pageSize }: NetdumpSession,
  pfn: number,
  page: readonly Uint8Array[],
): void {
  if (greeting.vmcoreinfo === undefined || vmcoreinfo === undefined) return;
  const start = Number(greeting.vmcoreinfo.physical) - pfn * pageSize;
  const from = Math.max(0, start);
  const end = Math.min(pageSize, start + vmcoreinfo.length);
  if (from < end) vmcoreinfo.set(joined(page).subarray(from, end), from - start);
}

/** From the client's side: a request was answered. */
export function noteAnswer(
  session: NetdumpSession,
  request: Request,
  reply: Reply,
  store: ServerStore,
  limits: ServerLimits,
): void {
  if (request.command !== Command.sendMem) {
    isTaken(session, request, reply, limits);
    return;
  }
  const next = reply.code === Code.reserved ? reply.info : request.from + 1;
  session.next = Math.max(session.next, next);
  if (reply.code === Code.mem) keepPage(session, request.from, reply.payload, store);
  else if (reply.code === Code.error) session.errors++;
}

/** From the client's side: the server wants nothing more. */
export function noteReboot(session: NetdumpSession, store: ServerStore): void {
  if (session.outcome === undefined && session.next >= session.nrPages) conclude(session, store);
}

/** Brings the headers up to date: what is in the file can be read, whatever becomes of it. */
export function settle(session: NetdumpSession, store: ServerStore): void {
  if (session.isSettled) return;
  session.isSettled = true;
  const { greeting, runs, pageSize, name, outcome } = session;
  const notes = notesOf(session);
  assert(notesAt + notes.length <= dataAt, 'notes have their room');
  const loads = runs.map(
    ([first, end]): Load => ({ first, end, memoryEnd: end, offset: dataAt + first * pageSize }),
  );
  const headers = elfHeaders({
    style: 'netdump',
    notesAt,
    notesSize: notes.length,
    directMap: greeting.pageOffset,
    pageSize,
    loads,
    flags: outcome === 'done' ? 0 : flagIncomplete,
  });
  const sink = store.incomplete(name);
  sink.write(0, headers);
  sink.write(notesAt, notes);
}

function notesOf({ greeting, registers, vmcoreinfo }: NetdumpSession): Uint8Array {
  const notes: ElfNote[] = [];
  if (registers !== undefined) notes.push({ name: 'CORE', type: NT_PRSTATUS, desc: registers });
  const isText = vmcoreinfo !== undefined && decodeUtf8(vmcoreinfo).startsWith('OSRELEASE=');
  if (isText) notes.push({ name: 'VMCOREINFO', type: 0, desc: vmcoreinfo });
  const panic = { message: '', task: greeting.task, cpu: 0 };
  return elfNotes({ notes, panic }, { style: 'netdump' });
}
