import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DumpError } from '../../src/bytes/errors.ts';
import { latin1, latin1Bytes } from '../../src/bytes/text.ts';
import type { Dump } from '../../src/dump/types.ts';
import { openKernel } from '../../src/linux/kernel.ts';
import {
  addressOf,
  hasMember,
  type KernelObject,
  memberAddress,
  typeOf,
} from '../../src/linux/objects.ts';
import { memoryUse, processArguments } from '../../src/linux/processes.ts';
import { systemInfo } from '../../src/linux/system.ts';
import { currentTask, isKernelThread, taskCpu, taskState } from '../../src/linux/tasks.ts';
import { Vmcoreinfo } from '../../src/linux/vmcoreinfo.ts';
import { dumpLike, openFixture, withPages } from '../support/fixture.ts';
import { PatchedDump } from '../support/patched.ts';

let dump: Dump;
beforeAll(async () => {
  dump = await openFixture();
});
afterAll(() => dump.close());

describe('VMCOREINFO', () => {
  test('keys of every form are read; a value of another form is not there', () => {
    const info = new Vmcoreinfo(
      'OSRELEASE=6.1\nSYMBOL(prb)=ffffffff82000010\nSIZE(page)=64\nNUMBER(phys_base)=-704643072\n' +
        'OFFSET(page.flags)=0\nLENGTH(mem_section)=2048\nKERNELOFFSET=2d600000\nSYMBOL(bad)=xyz\n',
    );
    expect(info.symbol('prb')).toBe(0xffffffff82000010n);
    expect(info.size('page')).toBe(64);
    expect(info.offset('page.flags')).toBe(0);
    expect(info.length('mem_section')).toBe(2048);
    expect(info.physBase).toBe(-704643072n);
    expect(info.kernelOffset).toBe(0x2d600000n);
    expect(info.symbol('bad')).toBeUndefined();
    expect(info.symbol('absent')).toBeUndefined();
  });

  test("without a note the kernel's own copy in memory serves, and says so", () => {
    const kernel = openKernel(dumpLike(dump, { vmcoreinfo: undefined }));
    expect(kernel.vmcoreinfoOrigin).toBe('memory');
    expect(kernel.vmcoreinfo.release).toBe('6.1.0-56-cloud-amd64');
    expect(kernel.symbolAddress('prb')).toBe(openKernel(dump).symbolAddress('prb'));
  });

  test('a stale copy, whose addresses lead elsewhere, is passed over', () => {
    const stale = latin1Bytes(
      'OSRELEASE=6.1.0-56-cloud-amd64\nSYMBOL(init_uts_ns)=ffffffff81000000\n' +
        'OFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=0\n',
    );
    let first = -1;
    const withStale = withPages(dumpLike(dump, { vmcoreinfo: undefined }), (pfn, bytes) => {
      if (first < 0 && pfn > 100) first = pfn;
      if (pfn !== first) return bytes;
      const page = new Uint8Array(bytes.length);
      page.set(stale);
      return page;
    });
    expect(openKernel(withStale).vmcoreinfo.symbol('prb')).toBeDefined();
  });

  test('a memory without any copy is absent, with what to do about it', () => {
    const without = withPages(dumpLike(dump, { vmcoreinfo: undefined }), (_, bytes) =>
      latin1(bytes.subarray(0, 10)) === 'OSRELEASE=' || bytes[0] === 11 ? 'excluded' : bytes,
    );
    try {
      openKernel(without);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'absent', hint: expect.stringContaining('vmcoreinfo') });
    }
  });
});

describe('a kernel from memory alone', () => {
  test('symbols and objects agree with what the kernel says of itself', () => {
    const kernel = openKernel(dump);
    const init = kernel.variable('init_task');
    expect(addressOf(init)).toBe(kernel.symbol('init_task').address);
    expect(typeOf(init)).toBe('struct task_struct');
    expect(init.comm).toBe('swapper/0');
    expect(init.pid).toBe(0);
    expect(kernel.variable('init_uts_ns').name.release).toBe(kernel.vmcoreinfo.release);
    expect(kernel.variable('kexec_crash_image')).toBeNull();
  });

  test('VMCOREINFO and BTF agree on sizes and offsets', () => {
    const kernel = openKernel(dump);
    for (const [type, member] of [
      ['page', 'mapping'],
      ['zone', 'free_area'],
      ['printk_info', 'text_len'],
    ] as const) {
      expect(kernel.types.sizeOf(`struct ${type}`)).toBe(kernel.vmcoreinfo.size(type));
      const offset = kernel.vmcoreinfo.offset(`${type}.${member}`);
      expect(kernel.types.offsetOf(`struct ${type}`, member)).toBe(offset);
    }
  });

  test('the direct map leads to the same bytes as the text mapping', () => {
    const kernel = openKernel(dump);
    const { address } = kernel.symbol('linux_banner');
    const { physical } = kernel.memory.translate(address);
    const mapped = kernel.memory.cstring(kernel.toVirtual(physical), 64);
    expect(mapped).toBe(kernel.memory.cstring(address, 64));
    expect(mapped).toMatch(/^Linux version 6\.1\.0-56-cloud-amd64/);
  });

  test('a variable of unknown type says how to reach it', () => {
    expect(() => openKernel(dump).variable('panic_print')).toThrow(
      expect.objectContaining({ hint: 'cast it: (struct T *)&panic_print' }),
    );
  });

  test('modules have their memory, their symbols and their own types', () => {
    const kernel = openKernel(dump);
    const { modules, problem } = kernel.modules;
    expect(problem).toBeUndefined();
    const net = modules.find((module) => module.name === 'virtio_net')!;
    expect(net.symbols().some((symbol) => symbol.name === 'virtnet_probe')).toBe(true);
    expect(kernel.symbols.at(net.base)?.symbol.module).toBe('virtio_net');
    expect(kernel.types.hasMember('struct virtnet_info', 'vdev')).toBe(true);
  });
});

describe('a kernel that lacks what others have', () => {
  const without = (name: string) => {
    const kernel = openKernel(dump);
    const { kallsyms } = kernel.tables;
    const find = kallsyms.find.bind(kallsyms);
    vi.spyOn(kallsyms, 'find').mockImplementation((wanted) =>
      wanted === name ? [] : find(wanted),
    );
    return kernel;
  };

  test('no BTF: types fail by name, modules are a problem, symbols are still found', () => {
    const kernel = without('__start_BTF');
    expect(() => kernel.types).toThrow(/carries no types.*__start_BTF/);
    expect(kernel.modules.problem?.code).toBe('absent');
    expect(kernel.symbol('init_task').address).toBe(openKernel(dump).symbol('init_task').address);
  });

  test('no module support: no modules, and an unknown symbol is absent', () => {
    const kernel = without('modules');
    expect(() => kernel.symbol('no_such_symbol')).toThrow(/no symbol "no_such_symbol"/);
    expect(kernel.modules).toEqual({ modules: [], problem: undefined });
  });
});

describe('tasks', () => {
  test('idle tasks, processes and threads are all there, once each', () => {
    const tasks = openKernel(dump).tasks();
    const all = [...tasks];
    expect(tasks.complete).toBe(true);
    expect(all).toHaveLength(63);
    expect(new Set(all.map(addressOf)).size).toBe(63);
    expect(all.filter((task) => task.pid === 0)).toHaveLength(2);
  });

  test('a process shows its state, CPU, memory and arguments', () => {
    const kernel = openKernel(dump);
    const all = [...kernel.tasks()];
    const heap = all.find((task) => task.comm === 'heapproc')!;
    const threads = all.filter((task) => task.tgid === heap.tgid);
    expect(taskState(heap)).toBe('RU');
    expect(taskCpu(heap)).toBe(1);
    expect(isKernelThread(heap)).toBe(false);
    expect(memoryUse(kernel, heap, threads)).toEqual({
      virtualBytes: 21548 * 1024,
      residentBytes: 9136 * 1024,
    });
    expect(processArguments(kernel, heap)?.args).toEqual(['heapproc', '20']);
  });

  test('a kernel thread has no memory and no arguments of its own', () => {
    const kernel = openKernel(dump);
    const thread = [...kernel.tasks()].find((task) => task.comm === 'kthreadd')!;
    expect(isKernelThread(thread)).toBe(true);
    expect(memoryUse(kernel, thread, [thread])).toBeUndefined();
    expect(processArguments(kernel, thread)).toBeUndefined();
  });

  test('a link that runs in a circle ends the list, which says that it is not complete', () => {
    const kernel = openKernel(dump);
    const all = [...kernel.tasks()];
    const victim = all.find((task) => task.comm === 'kthreadd')!;
    const link = memberAddress(victim, 'tasks');
    const { physical } = kernel.memory.translate(link);
    const damaged = withPages(dump, (pfn, bytes) => {
      if (pfn !== Number(physical / 4096n)) return bytes;
      const page = bytes.slice();
      new DataView(page.buffer).setBigUint64(Number(physical % 4096n), link, true);
      return page;
    });
    const tasks = openKernel(damaged).tasks();
    expect([...tasks].length).toBeGreaterThan(2);
    expect(tasks.complete).toBe(false);
    expect(tasks.problems[0]?.code).toBe('corrupt');
  });

  test('an excluded page in the middle of the list is said; process IDs lead behind it', () => {
    const kernel = openKernel(dump);
    const all = [...kernel.tasks()];
    const victim = all.find((task) => task.comm === 'kauditd')!;
    const pfn = Number(kernel.memory.translate(memberAddress(victim, 'tasks')).physical / 4096n);
    const tasks = openKernel(
      withPages(dump, (at, bytes) => (at === pfn ? 'excluded' : bytes)),
    ).tasks();
    const found = new Set([...tasks].map(addressOf));
    expect(tasks.complete).toBe(false);
    expect(tasks.problems.map((problem) => problem.code)).toContain('excluded');
    const size = BigInt(kernel.types.sizeOf('struct task_struct'));
    const isThere = (task: KernelObject): boolean =>
      [addressOf(task), addressOf(task) + size - 1n].every(
        (at) => Number(kernel.memory.translate(at).physical / 4096n) !== pfn,
      );
    expect(all.filter((task) => isThere(task) && !found.has(addressOf(task)))).toEqual([]);
  });

  test('page tables that are lost cost nothing where the mapping is linear', () => {
    const kernel = openKernel(dump);
    const all = [...kernel.tasks()].map(addressOf);
    const top = Number(kernel.memory.root.physical / 4096n);
    const others = openKernel(withPages(dump, (at, bytes) => (at === top ? 'missing' : bytes)));
    expect([...others.tasks()].map(addressOf)).toEqual(all);
    // Modules lie in neither of the two linear parts.
    const module = kernel.modules.modules[0]!;
    expect(() => others.memory.u64(module.base)).toThrow(/PGD entry: this page is not/);
  });
});

test('a pointer that is never NULL, followed where it is NULL: corrupt, with its place', () => {
  const patched = new PatchedDump(dump);
  const kernel = openKernel(patched.dump);
  const queue = kernel.object('struct rq', kernel.perCpu('runqueues', 1));
  patched.writeU64(memberAddress(queue, 'curr'), 0n);
  expect(() => currentTask(kernel, 1)).toThrow(/curr of a struct rq is NULL/);
  expect(currentTask(kernel, 0).pid).toBeTypeOf('number');
});

test('members of embedded types without a name have addresses too', () => {
  const kernel = openKernel(dump);
  const address = 0xffff_8880_0000_1000n;
  const page = kernel.object('struct page', address);
  expect(memberAddress(page, '_mapcount')).toBe(
    address + BigInt(kernel.types.offsetOf('struct page', '_mapcount')),
  );
  const segment = kernel.variable('init_task').thread.tls_array[0];
  expect(hasMember(segment, 'limit0')).toBe(true);
  expect(() => memberAddress(segment, 'none')).toThrow(/has no member "none"/);
});

describe('the system', () => {
  test('clock, uptime, load and size are what crash says', () => {
    const info = systemInfo(openKernel(dump));
    expect(info).toMatchObject({
      cpusPossible: 2,
      cpusPresent: 2,
      cpusOnline: 1,
      time: 1795328579,
      uptime: 9,
      cpuMegahertz: 2000,
      memoryBytes: 83353600,
      tainted: 0n,
      problems: [],
    });
    expect(info.loadAverage?.map((value) => value.toFixed(2))).toEqual(['0.16', '0.03', '0.01']);
    expect(info.uts.nodename).toBe('labguest');
  });
});

test('any page removed: what needs it fails by name, nothing else breaks', () => {
  const kernel = openKernel(dump);
  const needed = ['init_task', 'runqueues', '__start_BTF', 'modules', '__per_cpu_offset'];
  for (const name of needed) {
    const { address } = kernel.symbol(name);
    if (address < 2n ** 32n) continue;
    const pfn = Number(kernel.memory.translate(address).physical / 4096n);
    const damaged = openKernel(withPages(dump, (at, bytes) => (at === pfn ? 'damaged' : bytes)));
    try {
      const tasks = damaged.tasks();
      for (const task of tasks) taskState(task);
      damaged.modules.modules.forEach((module) => {
        module.symbols();
      });
      systemInfo(damaged);
    } catch (error) {
      expect(error).toBeInstanceOf(DumpError);
    }
  }
});
