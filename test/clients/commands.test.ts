/** `clients` and `doctor` as a person meets them, with files on a disk. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runClients } from '../../proxy/commands/clients.ts';
import { runDoctor } from '../../proxy/commands/doctor.ts';
import { CommandError } from '../../proxy/commands/io.ts';
import { createFolder, removeFolders, write } from '../config/scratch.ts';
import { CA, PROXY, REGISTRIES } from './kit.ts';

let config: string;
let root: string;
let out: string[];
let err: string[];
const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };

beforeEach(() => {
  config = write(createFolder(), 'pullwarden.yaml', REGISTRIES);
  root = createFolder();
  out = [];
  err = [];
});

afterAll(removeFolders);

const clients = (name: string, options: { as?: string; out?: string; proxy?: string } = {}) =>
  runClients(name, { config, proxy: PROXY, ca: CA, as: undefined, out: undefined, ...options }, io);
const doctor = (options: { config?: string; proxy?: string } = { config, proxy: PROXY }) =>
  runDoctor({ config: undefined, proxy: undefined, ...options, root }, io);

describe('clients', () => {
  test('prints everything under headings', async () => {
    expect(await clients('containerd')).toBe(0);
    const text = out.join('\n');
    expect(text).toContain('---- File /etc/containerd/certs.d/_default/hosts.toml ----\n# All pulls go to');
    expect(text).toContain('---- File /etc/containerd/config.toml (merge into the existing file) ----');
    expect(text).toContain('$ crictl pull registry.example.com/pullwarden-canary:never-signed');
  });

  test('writes the files below a folder and says what is left to do', async () => {
    expect(await clients('podman', { out: root, as: 'remap' })).toBe(0);
    expect(
      readFileSync(join(root, 'etc/containers/registries.conf.d/999-pullwarden.conf'), 'utf8'),
    ).toContain('location = "proxy.example.com:5050/docker.io"');
    expect(out.join('\n')).toContain('---- Steps that complete the lock ----');
    expect(await clients('podman', { out: root, as: 'remap' })).toBe(0);
  });

  test('never overwrites what says something else, and then writes nothing', async () => {
    write(root, 'etc/containerd/config.toml', 'version = 2\n');
    await expect(clients('containerd', { out: root })).rejects.toThrow(
      /config\.toml exists with other content; nothing was written/,
    );
    expect(existsSync(join(root, 'etc/containerd/certs.d'))).toBe(false);
  });

  test('docker is another spelling of dockerd', async () => {
    expect(await clients('docker', {})).toBe(0);
    expect(out.join('\n')).toContain('==== dockerd, with the proxy as the registry in image references ====');
  });

  test.each([
    ['rkt', {}, /unknown client "rkt"; write one of dockerd, containerd, podman, k3s, buildkit/],
    [
      'dockerd',
      { as: 'host' },
      /dockerd has no form "host"; write one of registry-host, mirror, https-proxy/,
    ],
    ['containerd', { as: 'mirror' }, /containerd has no form "mirror"; leave --as out/],
    ['k3s', { proxy: 'proxy' }, /invalid proxy address "proxy"/],
  ])('%s %j is refused with the next step', async (name, options, message) => {
    await expect(clients(name, options)).rejects.toThrow(message);
    await expect(clients(name, options)).rejects.toBeInstanceOf(CommandError);
  });
});

describe('doctor', () => {
  test('finds nothing in the generated files, and says what it cannot know', async () => {
    await clients('dockerd', { out: root });
    out = [];
    expect(await doctor()).toBe(0);
    expect(out.join()).toContain('doctor reads files, not running programs');
  });

  test('exits 2 with one line for each hole', async () => {
    write(root, 'etc/docker/daemon.json', '{\n  "registry-mirrors": ["https://mirror.gcr.io"]\n}\n');
    expect(await doctor()).toBe(2);
    expect(out).toEqual([
      '/etc/docker/daemon.json:1 dockerd: pulls go directly to the registries, bypassing the proxy; write the egress rules of "pullwarden clients dockerd"',
      '/etc/docker/daemon.json:2 dockerd: the mirror https://mirror.gcr.io is not the proxy; write https://proxy.example.com:5050 only',
    ]);
  });

  test('needs no configuration where the proxy is named', async () => {
    await clients('containerd', { out: root });
    expect(await doctor({ proxy: PROXY })).toBe(0);
    expect(await doctor({ proxy: 'https://other.example.com' })).toBe(2);
    await expect(doctor({})).rejects.toThrow(/give it with --proxy or --config/);
    await expect(doctor({ proxy: 'other' })).rejects.toBeInstanceOf(CommandError);
  });

  test('exits 1 when it could not read something and found nothing else', async () => {
    await clients('containerd', { out: root });
    symlinkSync('hosts', join(root, 'etc/hosts'));
    expect(await doctor()).toBe(1);
    expect(err).toEqual(['pullwarden: /etc/hosts cannot be read (ELOOP); run doctor as root']);
  });

  test('follows links inside the root, not out of it', async () => {
    write(root, 'opt/registries.conf', '[[registry]]\nlocation = "quay.io"\n');
    mkdirSync(join(root, 'etc/containers'), { recursive: true });
    symlinkSync('/opt/registries.conf', join(root, 'etc/containers/registries.conf'));
    symlinkSync('../../../../../../../../../../opt', join(root, 'link'));
    expect(await doctor()).toBe(2);
    expect(out.join('\n')).toContain(
      '/etc/containers/registries.conf:1 podman: pulls from quay.io go directly to it',
    );
    out = [];
    rmSync(join(root, 'opt'), { recursive: true });
    await doctor();
    expect(out.join('\n')).not.toContain('quay.io');
  });

  test('a root that is none is an error', async () => {
    await expect(doctor({ config, proxy: PROXY })).rejects.toThrow(
      /must be the root folder of a node's file system/,
    );
    expect(readdirSync(root)).toEqual([]);
  });
});
