/** Reports made by hand: a run that delivers, one that its faults make fail. */

import type { CaptureSubject } from '../../src/render/capture.ts';
import type { FaultNote } from '../../src/trial/faults/strike.ts';
import type { CaptureReport, StageReport } from '../../src/trial/report.ts';

const us = 1e3;
const ms = 1e6;
const MB = 1024 * 1024;

/** Stages one after the other, by name and duration. */
function stagesOf(
  list: readonly (readonly [name: string, ns: number, more?: Partial<StageReport>])[],
): StageReport[] {
  let now = 0;
  return list.map(([name, ns, more]) => {
    const startNs = now;
    now += ns;
    return { name, startNs, endNs: now, result: 'ok', remarks: [], ...more };
  });
}

const common = {
  level: 1,
  compression: 'zlib',
  machine: {
    name: 'null-process',
    release: '6.1.0-56-cloud-amd64',
    cpus: 2,
    ramBytes: 79.5 * MB,
    inputLevel: undefined,
    hardware: 'virtio-scsi',
    devices: 'side file',
  },
  panic: {
    cpu: 0,
    task: '0xffff8d1e03df4180',
    message: 'Kernel panic - not syncing: Fatal exception',
    evidence: 'panic_cpu is 0',
  },
  setup: [
    {
      what: 'CPU 1 gets back the context that stop_this_cpu interrupted: rip',
      before: '0xffffffff9a23d023',
      after: '0x000000000045019d',
    },
    {
      what: '__cpu_online_mask',
      address: '0xffffffff9be39520',
      before: '0x0000000000000001',
      after: '0x0000000000000003',
    },
  ],
} as const;

const ram = [
  { start: 0x1000, end: 0x9f000 },
  { start: 0x100000, end: 0x5fe0000 },
];

export const completeReport: CaptureReport = {
  ...common,
  method: 'mkdump',
  format: 'lkcd',
  generation: '1.0',
  seed: 7,
  faults: [],
  stages: stagesOf([
    ['panic entry', 2 * us],
    ['control structure', 0],
    ['registers of all CPUs', 1026 * us],
    ['jump', 2 * us],
    ['mini kernel', 300 * ms],
    ['disk reset', 50 * ms],
    ['pages to dump', ms, { pages: 17421 }],
    ['header', 661 * us, { bytes: 24576 }],
    ['pages', 220 * ms, { pages: 17421, bytes: 68.1 * MB, retries: 2 }],
    ['end', 110 * us],
    ['reboot', 5e9],
  ]),
  failed: undefined,
  ownWrites: [{ what: 'resident part', start: 0x619000, end: 0x680000 }],
  activity: [
    { lane: 'CPU 0', what: 'panic path', startNs: 0, endNs: 1030 * us },
    { lane: 'CPU 1', what: 'running', startNs: 0, endNs: 500 * us },
    { lane: 'CPU 1', what: 'in NMI', startNs: 500 * us, endNs: 573 * ms },
    { lane: 'disk', what: 'reset', startNs: 301 * ms, endNs: 351 * ms },
    { lane: 'disk', what: 'writes', startNs: 352 * ms, endNs: 573 * ms },
  ],
  memory: {
    pageSize: 4096,
    endPfn: 0x5fe0,
    ram,
    targets: {
      code: [{ start: 0x619000, end: 0x61d000 }],
      structures: [{ start: 0x80f000, end: 0x810000 }],
      reserved: [{ start: 0x700000, end: 0x780000 }],
    },
  },
  disk: { commands: 284, bytes: 71_408_640, lost: 0 },
  saved: { bytes: 71_408_640, remarks: [] },
  verdict: {
    class: 'complete',
    reasons: ['every page due is there and equal'],
    pages: { due: 17318, equal: 17421, excused: 103, different: 0, absent: 0, damaged: 0 },
    places: {
      due: [
        [0x1, 0x9f],
        [0x100, 0x2000],
        [0x2400, 0x4800],
      ],
      excused: [[0x619, 0x680]],
      different: [],
      absent: [],
      damaged: [],
    },
    answers: {
      'panic task': 'equal',
      backtrace: 'equal',
      'last log line': 'equal',
      tasks: 'equal',
    },
  },
};

const damage: FaultNote = {
  fault: 'memory:by=dma,region=kexec,writes=3,bytes=8',
  index: 0,
  effect: 'done',
  writes: [
    {
      writer: 'DMA of nic',
      region: 'structures of kexec',
      physical: '0x000000000080f010',
      virtual: '0xffff8d1e0080f010',
      before: '00 90 61 00 00 00 00 00',
      after: 'd4 1c 7a 00 93 be 02 11',
      outcome: 'done',
    },
    {
      writer: 'DMA of nic',
      region: 'structures of kexec',
      physical: '0x0000000000d63ff8',
      virtual: '0xffff8d1e00d63ff8',
      before: '00 00 00 00 00 00 00 00',
      after: '00 00 00 00 00 00 00 00',
      outcome: 'unchanged',
    },
    {
      writer: 'DMA of nic',
      region: 'structures of kexec',
      physical: '0x0000000003342078',
      virtual: '0xffffffff9c542078',
      symbol: '__kexec_lock',
      before: '00 00 00 00 00 00 00 00',
      after: '01 00 00 00 00 00 00 00',
      outcome: 'scheduled',
      atNs: 1.5 * ms,
    },
  ],
  remarks: [],
};

const prevented: FaultNote = {
  fault: 'memory:by=cpu,region=reserved',
  index: 1,
  effect: 'prevented',
  writes: [
    {
      writer: 'CPU 0',
      region: 'the reserved region',
      physical: '0x0000000004c01000',
      virtual: '0xffff8d1e04c01000',
      before: '7f 45 4c 46 02 01 01 00',
      after: 'ff ff ff ff ff ff ff ff',
      outcome: 'read-only',
    },
  ],
  remarks: [],
};

const watchdog: FaultNote = {
  fault: 'watchdog:seconds=30',
  index: 2,
  effect: 'done',
  writes: [],
  remarks: ['the watchdog ends the run 30 s after the instant, whoever runs then'],
};

const failingStages = stagesOf([
  ['panic entry', 2 * us],
  ['kexec lock', 0],
  ['crash image', 0],
  ['VMCOREINFO', 2 * us, { bytes: 3308 }],
  [
    'NMI shoot-down',
    1026 * us,
    { remarks: ['CPU 1 did not take the NMI within 1 s; its registers are not in the dump'] },
  ],
  [
    'machine_kexec',
    2 * us,
    {
      result: 'failed',
      kind: 'nested fault',
      cause:
        'the transition page tables give no page at 0x000000000080f000, and __kexec_lock is ' +
        'held: panic() loops until a watchdog ends it',
      object: 'kimage.control_code_page',
    },
  ],
]);

export const failingReport: CaptureReport = {
  ...common,
  method: 'kexec',
  format: 'kdump',
  generation: 'today',
  seed: 3405691582,
  faults: [damage, prevented, watchdog],
  stages: failingStages,
  failed: failingStages.at(-1),
  ownWrites: [{ what: 'crash_notes of CPU 0', start: 0x2f00000, end: 0x2f00200 }],
  activity: [
    { lane: 'CPU 0', what: 'panic path', startNs: 0, endNs: 1032 * us },
    { lane: 'CPU 1', what: 'running', startNs: 0, endNs: 1032 * us },
    { lane: 'nic', what: 'DMA', startNs: 900 * us, endNs: 910 * us },
  ],
  memory: {
    pageSize: 4096,
    endPfn: 0x5fe0,
    ram,
    targets: {
      code: [{ start: 0xd60000, end: 0xd61000 }],
      structures: [
        { start: 0x80f000, end: 0x810000 },
        { start: 0xd61000, end: 0xd64000 },
      ],
      reserved: [{ start: 0x4c00000, end: 0x5c00000 }],
    },
  },
  disk: { commands: 0, bytes: 0, lost: 0 },
  saved: undefined,
  verdict: {
    class: 'none',
    reasons: ['no dump on the disk'],
    pages: undefined,
    places: undefined,
    answers: undefined,
  },
  why: {
    removals: [
      { fault: damage.fault, verdict: 'complete' },
      { fault: prevented.fault, verdict: 'none' },
      { fault: watchdog.fault, verdict: 'none' },
    ],
    smallest: [damage.fault],
  },
};

/** A file that looks whole and is not: every state and every mark on its map. */
export const inaccurateReport: CaptureReport = {
  ...completeReport,
  seed: 12,
  faults: [
    { ...damage, index: 0 },
    {
      fault: 'memory:by=memory-error,region=page-structs',
      index: 1,
      effect: 'done',
      writes: [
        {
          writer: 'memory error',
          region: 'page structures',
          physical: '0x0000000003900123',
          before: '00',
          after: '08',
          outcome: 'done',
        },
        {
          writer: 'CPU 1',
          region: 'kernel data',
          physical: '0x0000000002000000',
          before: '00',
          after: '08',
          outcome: 'done',
        },
      ],
      remarks: [],
    },
  ],
  verdict: {
    class: 'inaccurate',
    reasons: [
      '192 pages differ from the memory',
      '512 of 17318 pages due are not there',
      '64 pages cannot be decoded',
      'the dump gives another answer: tasks',
    ],
    pages: { due: 17318, equal: 16653, excused: 103, different: 192, absent: 512, damaged: 64 },
    places: {
      due: completeReport.verdict.places!.due,
      excused: [[0x619, 0x680]],
      different: [[0x3000, 0x30c0]],
      absent: [[0x1800, 0x1a00]],
      damaged: [[0x4000, 0x4040]],
    },
    answers: {
      'panic task': 'equal',
      backtrace: 'not asked',
      'last log line': 'equal',
      tasks: 'different',
    },
  },
  why: {
    removals: [
      { fault: damage.fault, verdict: 'inaccurate' },
      { fault: 'memory:by=memory-error,region=page-structs', verdict: 'inaccurate' },
    ],
    smallest: [],
  },
};

export const completeSubject: CaptureSubject = {
  report: completeReport,
  machine: 'the image null-process',
  output: 'mkdump.lkcd',
  again: 'tsdump capture --seed 7',
  scenario: {
    name: 'null-process',
    title: 'a process makes the kernel follow a null pointer',
  },
};

export const failingSubject: CaptureSubject = {
  report: failingReport,
  machine: 'the image null-process',
  output: undefined,
  again:
    'tsdump capture --method kexec --scenario corrupted-kimage --watchdog 30 ' +
    '--fault memory:by=cpu,region=reserved --seed 3405691582',
  scenario: {
    name: 'corrupted-kimage',
    title: 'a device writes over what describes the loaded crash kernel',
  },
};

export const inaccurateSubject: CaptureSubject = {
  report: inaccurateReport,
  machine: 'vmcore',
  output: "it's a dump.lkcd",
  again: 'tsdump capture --machine vmcore --seed 12',
};
