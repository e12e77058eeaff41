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
      "yum install --enablerepo='*debug*' kernel-debuginfo-3.10.0-1160.el7.x86_64",
      'Linux version 3.10.0-1160.el7.x86_64 (mockbuild@x86-vm-26.build.eng.bos.redhat.com) (gcc ' +
        'version 4.8.5 20150623 (Red Hat 4.8.5-44) (GCC) ) #1 SMP Tue Aug 18 14:50:17 EDT 2020',
    ],
  ])('%s: %s', (distribution, name, command, banner) => {
    expect(debugPackage(kernel(banner))).toMatchObject({ distribution, name, command });
  });

  // Lines of /proc/version and of logs as people published them.
  test.each([
    [
      'Debian',
      'linux-image-6.1.0-33-amd64-dbg',
      'Linux version 6.1.0-33-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) ' +
        '12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.133-1 ' +
        '(2025-04-10)',
      '6.1.133-1',
    ],
    [
      'Ubuntu',
      'linux-image-5.15.0-1031-aws-dbgsym',
      'Linux version 5.15.0-1031-aws (buildd@lcy02-amd64-016) (gcc (Ubuntu ' +
        '11.3.0-1ubuntu1~22.04) ' +
        '11.3.0, GNU ld (GNU Binutils for Ubuntu) 2.38) #35-Ubuntu SMP Fri Feb 10 02:07:18 UTC ' +
        '2023',
      '5.15.0-1031.35',
    ],
    [
      'Ubuntu',
      'linux-image-5.15.0-1066-aws-dbgsym',
      'Linux version 5.15.0-1066-aws (buildd@lcy02-amd64-037) (gcc (Ubuntu ' +
        '9.4.0-1ubuntu1~20.04.2) 9.4.0, GNU ld (GNU Binutils for Ubuntu) 2.34) ' +
        '#72~20.04.1-Ubuntu SMP Thu Jul 18 10:41:27 UTC 2024',
      '5.15.0-1066.72~20.04.1',
    ],
    [
      'Fedora 37',
      'kernel-debuginfo-5.19.7-300.fc37.x86_64',
      'Linux version 5.19.7-300.fc37.x86_64 (mockbuild@bkernel01.iad2.fedoraproject.org) (gcc ' +
        '(GCC) 12.2.1 20220819 (Red Hat 12.2.1-1), GNU ld version 2.38-23.fc37) #1 SMP ' +
        'PREEMPT_DYNAMIC Mon Sep 5 15:09:01 UTC 2022',
    ],
    [
      'Fedora 38',
      'kernel-debuginfo-6.0.0-0.rc2.19.fc38.x86_64',
      'Linux version 6.0.0-0.rc2.19.fc38.x86_64 (mockbuild@bkernel01.iad2.fedoraproject.org) ' +
        '(gcc ' +
        '(GCC) 12.2.1 20220819 (Red Hat 12.2.1-1), GNU ld version 2.39-2.fc38) #1 SMP ' +
        'PREEMPT_DYNAMIC Mon Aug 22 12:52:40 UTC 2022',
    ],
    [
      'Fedora 40',
      'kernel-debuginfo-6.8.7-300.fc40.x86_64',
      'Linux version 6.8.7-300.fc40.x86_64 (mockbuild@fcbf90a6ba6d49db950d41ba55dc124b) (gcc ' +
        '(GCC) 14.0.1 20240411 (Red Hat 14.0.1-0), GNU ld version 2.41-34.fc40) #1 SMP ' +
        'PREEMPT_DYNAMIC Wed Apr 17 19:21:08 UTC 2024',
    ],
    [
      'Fedora 42',
      'kernel-debuginfo-6.14.6-300.fc42.x86_64',
      'Linux version 6.14.6-300.fc42.x86_64 (mockbuild@d52ebe864e9b44d9a612faa06f490c58) (gcc ' +
        '(GCC) 15.1.1 20250425 (Red Hat 15.1.1-1), GNU ld version 2.44-3.fc42) #1 SMP ' +
        'PREEMPT_DYNAMIC Fri May  9 20:11:19 UTC 2025',
    ],
    [
      'RHEL 7',
      'kernel-debuginfo-3.10.0-514.10.2.el7.x86_64',
      'Linux version 3.10.0-514.10.2.el7.x86_64 (mockbuild@x86-039.build.eng.bos.redhat.com) ' +
        '(gcc ' +
        'version 4.8.5 20150623 (Red Hat 4.8.5-11) (GCC) ) #1 SMP Mon Feb 20 02:37:52 EST 2017',
    ],
    [
      'RHEL 8',
      'kernel-debuginfo-4.18.0-193.el8.x86_64',
      'Linux version 4.18.0-193.el8.x86_64 (mockbuild@x86-vm-08.build.eng.bos.redhat.com) (gcc ' +
        'version 8.3.1 20191121 (Red Hat 8.3.1-5) (GCC)) #1 SMP Fri Mar 27 14:35:58 UTC 2020',
    ],
    [
      'RHEL 9',
      'kernel-debuginfo-5.14.0-162.6.1.el9_1.x86_64',
      'Linux version 5.14.0-162.6.1.el9_1.x86_64 (mockbuild@x86-vm-07.build.eng.bos.redhat.com) ' +
        '(gcc (GCC) 11.3.1 20220421 (Red Hat 11.3.1-2), GNU ld version 2.35.2-24.el9) #1 SMP ' +
        'PREEMPT_DYNAMIC Tue Dec 20 06:06:30 EST 2022',
    ],
    [
      'CentOS Stream 9',
      'kernel-debuginfo-5.14.0-419.el9.x86_64',
      'Linux version 5.14.0-419.el9.x86_64 (mockbuild@x86-05.stream.rdu2.redhat.com) (gcc (GCC) ' +
        '11.4.1 20231218 (Red Hat 11.4.1-3), GNU ld version 2.35.2-42.el9) #1 SMP ' +
        'PREEMPT_DYNAMIC Wed Feb 7 23:01:41 UTC 2024',
    ],
    [
      'CentOS 7',
      'kernel-debuginfo-3.10.0-1160.el7.x86_64',
      'Linux version 3.10.0-1160.el7.x86_64 (mockbuild@kbuilder.bsys.centos.org) (gcc version ' +
        '4.8.5 20150623 (Red Hat 4.8.5-44) (GCC) ) #1 SMP Mon Oct 19 16:18:59 UTC 2020',
    ],
    [
      'CentOS 8',
      'kernel-debuginfo-4.18.0-348.2.1.el8_5.x86_64',
      'Linux version 4.18.0-348.2.1.el8_5.x86_64 (mockbuild@kbuilder.bsys.centos.org) (gcc ' +
        'version 8.5.0 20210514 (Red Hat 8.5.0-4) (GCC)) #1 SMP Tue Nov 16 14:42:35 UTC 2021',
    ],
    [
      'AlmaLinux 10',
      'kernel-debuginfo-6.12.0-124.49.1.el10_1.x86_64',
      'Linux version 6.12.0-124.49.1.el10_1.x86_64 (mockbuild@x64-builder03.almalinux.org) (gcc ' +
        '(GCC) 14.3.1 20250617 (Red Hat 14.3.1-2), GNU ld version 2.41-58.el10_1.2.alma.1) #1 ' +
        'SMP PREEMPT_DYNAMIC Thu Apr  9 00:52:33 EDT 2026',
    ],
    [
      'Rocky Linux 8',
      'kernel-debuginfo-4.18.0-372.19.1.el8_6.x86_64',
      'Linux version 4.18.0-372.19.1.el8_6.x86_64 ' +
        '(mockbuild@dal1-prod-builder001.bld.equ.rockylinux.org) (gcc version 8.5.0 ' +
        '20210514 (Red ' +
        'Hat 8.5.0-10) (GCC)) #1 SMP Tue Aug 2 16:19:42 UTC 2022',
    ],
    [
      'Oracle Linux 7 (UEK)',
      'kernel-uek-debuginfo-4.14.35-1902.305.4.el7uek.x86_64',
      'Linux version 4.14.35-1902.305.4.el7uek.x86_64 ' +
        '(mockbuild@jenkins-10-147-72-125-9cc530f8-159f-444e-98e9-d1e5d2b5e4e2) (gcc version ' +
        '4.8.5 20150623 (Red Hat 4.8.5-16.0.3) (GCC)) #2 SMP Tue Aug 4 14:17:05 PDT 2020',
    ],
    [
      'Amazon Linux 2',
      'kernel-debuginfo-5.10.162-141.675.amzn2.x86_64',
      'Linux version 5.10.162-141.675.amzn2.x86_64 (mockbuild@ip-10-0-51-51) (gcc10-gcc (GCC) ' +
        '10.3.1 20210422 (Red Hat 10.3.1-1), GNU ld version 2.35.2-9.amzn2.0.1) #1 SMP Mon Jan 9 ' +
        '22:45:11 UTC 2023',
    ],
    [
      'openSUSE',
      'kernel-default-debuginfo',
      'Linux version 4.12.14-lp150.12.16-default (geeko@buildhost) (gcc version 7.3.1 20180323 ' +
        '[gcc-7-branch revision 258812] (SUSE Linux) ) #1 SMP Tue Aug 14 17:51:27 UTC 2018 ' +
        '(28574e6)',
      '4.12.14-lp150.12.16.*',
    ],
    [
      'openSUSE',
      'kernel-default-debuginfo',
      'Linux version 6.17.0-2-default (geeko@buildhost) (gcc (SUSE Linux) 15.2.0, GNU ld (GNU ' +
        'Binutils; openSUSE Tumbleweed) 2.43.1.20241209-10) #1 SMP PREEMPT_DYNAMIC Thu Oct  2 ' +
        '08:12:40 UTC 2025 (190326b)',
      '6.17.0-2.*',
    ],
    [
      'SUSE Linux',
      'kernel-default-debuginfo',
      'Linux version 5.14.21-150500.55.100-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0, ' +
        'GNU ' +
        'ld (GNU Binutils; SUSE Linux Enterprise 15) 2.43.1.20241209-150100.7.52) #1 SMP ' +
        'PREEMPT_DYNAMIC Thu Apr 3 17:03:15 UTC 2025 (a9fe8f3)',
      '5.14.21-150500.55.100.*',
    ],
  ])('%s: %s of a published banner', (distribution, name, banner, version?: string) => {
    expect(debugPackage(kernel(banner))).toMatchObject({ distribution, name, version });
  });

  test.each([
    [
      '4.12.14-lp150.12.16-default',
      '/usr/lib/debug/boot/vmlinux-4.12.14-lp150.12.16-default.debug',
    ],
    [
      '6.12.0-160000.5-default',
      '/usr/lib/debug/usr/lib/modules/6.12.0-160000.5-default/vmlinux.debug',
    ],
  ])('of SUSE, %s has its vmlinux where its kernels are', (release, file) => {
    const banner = `Linux version ${release} (geeko@buildhost) (gcc (SUSE Linux) 13) #1 SMP`;
    expect(debugPackage(kernel(banner))).toMatchObject({ file });
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
