/** Debug packages by what kernels say of themselves: real banners, one of each distribution. */

import { describe, expect, test } from 'vitest';
import { debugPackage, type KernelIdentity } from '../../src/check/debug-package.ts';

/** From a line of /proc/version. */
function kernel(banner: string, buildId?: string): KernelIdentity {
  const [, release, version] = /^Linux version (\S+) .*?(#\d.*)$/.exec(banner) ?? [];
  return { release: release!, version: version!, banner, buildId };
}

const el = (release: string, host: string): string =>
  `Linux version ${release} (mockbuild@${host}) (gcc (GCC) 11.5.0 20240719 (Red Hat 11.5.0-5), ` +
  'GNU ld version 2.35.2-63.el9) #1 SMP PREEMPT_DYNAMIC Tue May 13 06:11:55 EDT 2025';

describe('the debug package of a kernel', () => {
  test.each([
    [
      'Debian',
      'linux-image-6.1.0-56-cloud-amd64-dbg',
      'apt install linux-image-6.1.0-56-cloud-amd64-dbg=6.1.192-2',
      'Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian ' +
        '12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP ' +
        'PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)',
    ],
    [
      'Ubuntu',
      'linux-image-5.4.0-42-generic-dbgsym',
      'apt install linux-image-5.4.0-42-generic-dbgsym=5.4.0-42.46',
      'Linux version 5.4.0-42-generic (buildd@lgw01-amd64-038) (gcc version 9.3.0 (Ubuntu ' +
        '9.3.0-10ubuntu2)) #46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020',
    ],
    [
      'Ubuntu',
      'linux-image-6.5.0-28-generic-dbgsym',
      'apt install linux-image-6.5.0-28-generic-dbgsym=6.5.0-28.29~22.04.1',
      'Linux version 6.5.0-28-generic (buildd@lcy02-amd64-098) (x86_64-linux-gnu-gcc-12 (Ubuntu ' +
        '12.3.0-1ubuntu1~22.04) 12.3.0, GNU ld (GNU Binutils for Ubuntu) 2.38) ' +
        '#29~22.04.1-Ubuntu SMP PREEMPT_DYNAMIC Thu Apr  4 14:39:20 UTC 2',
    ],
    [
      'Fedora 41',
      'kernel-debuginfo-6.11.4-301.fc41.x86_64',
      "dnf install --enablerepo='*debug*' kernel-debuginfo-6.11.4-301.fc41.x86_64",
      'Linux version 6.11.4-301.fc41.x86_64 (mockbuild@be03da54f8364b379359fe70f52a8f23) (gcc ' +
        '(GCC) 14.2.1 20240912 (Red Hat 14.2.1-3)) #1 SMP PREEMPT_DYNAMIC Sun Oct 20 2024',
    ],
    [
      'Amazon Linux 2023',
      'kernel-debuginfo-6.1.102-108.177.amzn2023.x86_64',
      "dnf install --enablerepo='*-debuginfo' kernel-debuginfo-6.1.102-108.177.amzn2023.x86_64",
      'Linux version 6.1.102-108.177.amzn2023.x86_64 (mockbuild@ip-10-0-40-38) (gcc (GCC) 11.4.1 ' +
        '20230605 (Red Hat 11.4.1-2)) #1 SMP PREEMPT_DYNAMIC Thu Aug 15 02:44:38 UTC 2024',
    ],
    [
      'Amazon Linux 2023',
      'kernel6.12-debuginfo-6.12.22-27.96.amzn2023.x86_64',
      "dnf install --enablerepo='*-debuginfo' kernel6.12-debuginfo-6.12.22-27.96.amzn2023.x86_64",
      'Linux version 6.12.22-27.96.amzn2023.x86_64 (mockbuild@ip-10-0-40-38) (gcc) #1 SMP 2025',
    ],
    [
      'Oracle Linux 8 (UEK)',
      'kernel-uek-debuginfo-5.15.0-206.153.7.1.el8uek.x86_64',
      'dnf install kernel-uek-debuginfo-5.15.0-206.153.7.1.el8uek.x86_64',
      'Linux version 5.15.0-206.153.7.1.el8uek.x86_64 (mockbuild@host-100-100-224-14) (gcc (GCC) ' +
        '11.4.1 20230605 (Red Hat 11.4.1-2.1.0.1)) #2 SMP Wed May 22 20:49:34 PDT 2024',
    ],
    [
      'RHEL 7',
      'kernel-debuginfo-3.10.0-1160.el7.x86_64',
      'debuginfo-install kernel-debuginfo-3.10.0-1160.el7.x86_64',
      'Linux version 3.10.0-1160.el7.x86_64 (mockbuild@x86-vm-26.build.eng.bos.redhat.com) (gcc ' +
        'version 4.8.5 20150623 (Red Hat 4.8.5-44) (GCC) ) #1 SMP Tue Aug 18 14:50:17 EDT 2020',
    ],
  ])('%s: %s', (distribution, name, command, banner) => {
    expect(debugPackage(kernel(banner))).toMatchObject({ distribution, name, command });
  });

  test.each([
    ['RHEL 9', 'x86-vm-07.build.eng.bos.redhat.com'],
    ['CentOS Stream 9', 'x86-05.stream.rdu2.redhat.com'],
    ['CentOS 9', 'kbuilder.bsys.centos.org'],
    ['AlmaLinux 9', 'x64-builder02.almalinux.org'],
    ['Rocky Linux 9', 'iad1-prod-build001.bld.equ.rockylinux.org'],
    ['RHEL family 9', 'host-100-100-224-3'],
  ])('%s is told by who compiled it', (distribution, host) => {
    const found = debugPackage(kernel(el('5.14.0-570.12.1.el9_6.x86_64', host)));
    const name = 'kernel-debuginfo-5.14.0-570.12.1.el9_6.x86_64';
    expect(found).toMatchObject({ distribution, name });
    const note = distribution === 'RHEL family 9' ? expect.stringContaining('build ID') : undefined;
    expect(found).toMatchObject({ note });
  });

  test.each([
    ['5.14.0-70.el9.x86_64+debug', 'kernel-debug-debuginfo-5.14.0-70.el9.x86_64'],
    ['5.14.0-70.el9.x86_64+rt', 'kernel-rt-debuginfo-5.14.0-70.el9.x86_64'],
    ['4.18.0-305.rt7.72.el8.x86_64', 'kernel-rt-debuginfo-4.18.0-305.rt7.72.el8.x86_64'],
    ['3.10.0-1160.el7.x86_64.debug', 'kernel-debug-debuginfo-3.10.0-1160.el7.x86_64'],
  ])('of the variant %s it is %s', (release, name) => {
    const found = debugPackage(kernel(el(release, 'x86-vm-07.build.eng.bos.redhat.com')));
    expect(found).toMatchObject({ name });
  });

  test('SUSE: the release lacks a number of the version, so the build ID finds it', () => {
    const banner =
      'Linux version 5.14.21-150400.24.63-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0, GNU ' +
      'ld (GNU Binutils; SUSE Linux Enterprise 15) 2.39) #1 SMP PREEMPT_DYNAMIC Tue May 2 2023';
    expect(debugPackage(kernel(banner, 'abcd'))).toMatchObject({
      distribution: 'SUSE Linux',
      name: 'kernel-default-debuginfo',
      version: '5.14.21-150400.24.63.*',
      command: "zypper --plus-content debug install -C 'debuginfo(build-id)=abcd'",
    });
    expect(debugPackage(kernel(banner))).toMatchObject({
      command: 'zypper --plus-content debug search -s kernel-default-debuginfo',
    });
  });

  test.each([
    ['a kernel that somebody built', 'Linux version 6.12.1 (me@home) (gcc 14) #3 SMP Mon'],
    [
      'a mainline build of Ubuntu',
      'Linux version 5.7.8-050708-generic (kernel@gloin) (gcc version 9.3.0 (Ubuntu ' +
        '9.3.0-13ubuntu1), GNU ld (GNU Binutils for Ubuntu) 2.34) #202007091034 SMP Thu Jul 9',
    ],
    ['an Arch kernel', 'Linux version 6.11.5-arch1-1 (linux@archlinux) (gcc 14.2.1) #1 SMP'],
    ['a release that is no name', 'Linux version 6.1;rm-rf.fc41.x86_64 (me@x) (gcc) #1 SMP'],
  ])('%s has none, and it is said why', (_, banner) => {
    expect(debugPackage(kernel(banner))).toEqual({ why: expect.any(String) });
  });
});
