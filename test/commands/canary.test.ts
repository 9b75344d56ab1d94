/** `canary` as a person and a timer meet it, with small scripts in place of the clients. */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type CanaryOptions, runCanary } from '../../proxy/commands/canary.ts';
import { CommandError } from '../../proxy/commands/io.ts';
import { createFolder, POLICY, REGISTRIES, removeFolders, write, writeConfig } from '../config/scratch.ts';

const HUB = 'docker.io/library/hello-world:linux';
const NOW = new Date('2026-11-21T12:00:00Z');
const REFUSES = `echo "Error: this proxy's test image, x, is refused" >&2; exit 1`;

let bin: string;
let out: string[];

beforeEach(() => {
  bin = createFolder();
  out = [];
});

afterAll(removeFolders);

/** Puts a client on the PATH; `$SEEN` is a file it may write to. */
function install(client: string, script: string): void {
  chmodSync(write(bin, client, `#!/bin/sh\n${script}\n`), 0o755);
}

const canary = (options: Partial<CanaryOptions> = {}): Promise<number> =>
  runCanary(
    {
      client: 'dockerd',
      image: undefined,
      as: undefined,
      config: undefined,
      proxy: 'https://proxy.example.com',
      timeout: '20s',
      textfile: undefined,
      json: false,
      options: [],
      ...options,
    },
    {
      io: { out: (text) => out.push(...text.split('\n')), err: () => undefined },
      env: { PATH: `${bin}:/usr/bin:/bin`, SEEN: join(bin, 'seen') },
      now: () => NOW,
    },
  );

describe('the three results', () => {
  test('enforced: exit 0, with the command line and the words of the proxy', async () => {
    install('docker', `echo "$@" > "$SEEN"; ${REFUSES}`);
    expect(await canary()).toBe(0);
    expect(out).toEqual([
      `$ docker pull ${HUB}`,
      "output: Error: this proxy's test image, x, is refused",
      `enforced: ${HUB} by dockerd: the proxy refused it, and the client stopped there`,
    ]);
    expect(readFileSync(join(bin, 'seen'), 'utf8')).toBe(`pull ${HUB}\n`);
  });

  test('bypassed: exit 3, with what to do and what was left behind', async () => {
    install('podman', 'echo sha256:abc');
    expect(await canary({ client: 'podman' })).toBe(3);
    expect(out.at(-1)).toBe(
      `bypassed: ${HUB} by podman: the image arrived, but the proxy never serves it; run "pullwarden doctor" to find the way around the proxy, or give the canary of the proxy with --image if this is another tag; to remove the image: podman rmi ${HUB}`,
    );
  });

  test('inconclusive: exit 1, with the last line of the client', async () => {
    install('docker', 'echo Pulling; echo "Cannot connect to the Docker daemon" >&2; exit 1');
    expect(await canary()).toBe(1);
    expect(out[1]).toBe('output: Cannot connect to the Docker daemon');
    expect(out.at(-1)).toContain('nothing shows that the proxy refused it; check that the client works');
  });

  test('inconclusive: the client is not installed', async () => {
    expect(await canary({ client: 'crictl' })).toBe(1);
    expect(out.at(-1)).toContain('crictl is not installed, or not on the PATH');
  });

  test('inconclusive: the pull takes too long, and is ended', async () => {
    install('docker', 'echo waiting; exec sleep 60');
    expect(await canary({ timeout: '300ms' })).toBe(1);
    expect(out.at(-1)).toContain('the pull did not end in time');
  });

  test('docker is another spelling of dockerd', async () => {
    install('docker', REFUSES);
    expect(await canary({ client: 'docker' })).toBe(0);
    expect(out.at(-1)).toMatch(/ by dockerd: /);
  });

  test('as JSON', async () => {
    install('docker', REFUSES);
    expect(await canary({ json: true })).toBe(0);
    expect(JSON.parse(out.join('\n'))).toEqual({
      result: 'enforced',
      because: 'the proxy refused it, and the client stopped there',
      says: "Error: this proxy's test image, x, is refused",
      client: 'dockerd',
      image: HUB,
      command: `docker pull ${HUB}`,
      at: NOW.toISOString(),
    });
  });
});

test('skopeo gets a folder that is gone afterwards', async () => {
  install('skopeo', 'echo "$3" > "$SEEN"; cd "$(echo "$3" | cut -c5-)" && touch manifest.json');
  expect(await canary({ client: 'skopeo' })).toBe(3);
  const folder = readFileSync(join(bin, 'seen'), 'utf8').trim().replace('dir:', '');
  expect(folder).toContain('pullwarden-canary-');
  expect(existsSync(folder)).toBe(false);
  expect(out.at(-1)).toContain('the image was not kept');
});

describe('what is pulled', () => {
  const named = `canary: { image: "registry.example.com/ops/canary:v1" }\n`;
  const own = (REGISTRIES + POLICY).replaceAll('docker.io', 'registry.example.com');
  const ported = own.replaceAll('registry.example.com', 'registry.example.com:5000');
  const configured = (text: string) => ({ config: writeConfig(text), proxy: undefined });

  test.each<[string, () => Partial<CanaryOptions>, string]>([
    ['the configured canary', () => configured(named + own), 'registry.example.com/ops/canary:v1'],
    ['the default one', () => configured(own), 'registry.example.com/pullwarden-canary:never-signed'],
    ['without a configuration the one of Docker Hub', () => ({}), HUB],
    [
      'behind the address of the proxy',
      () => ({ ...configured(named + own), proxy: 'https://proxy:5050', as: 'registry-host' }),
      'proxy:5050/registry.example.com/ops/canary:v1',
    ],
    ['what is named', () => ({ image: 'proxy:5050/x:y', proxy: undefined }), 'proxy:5050/x:y'],
    ['further options come first', () => ({ options: ['--debug', 'a b'] }), `--debug 'a b' ${HUB}`],
  ])('%s', async (_name, options, expected) => {
    install('docker', REFUSES);
    expect(await canary(options())).toBe(0);
    expect(out[0]).toBe(`$ docker pull ${expected}`);
  });

  test('only the image of a configuration is the canary for certain', async () => {
    install('docker', 'exit 0');
    expect(await canary({ image: 'x:y' })).toBe(3);
    expect(out.at(-1)).toContain('if this is another tag');
    expect(await canary(configured(own))).toBe(3);
    expect(out.at(-1)).not.toContain('if this is another tag');
  });

  test.each<[string, () => Partial<CanaryOptions>, RegExp]>([
    ['no client', () => ({ client: 'rkt' }), /unknown client "rkt"; write one of dockerd, ctr, crictl/],
    ['no form', () => ({ as: 'mirror' }), /canary has no form "mirror"; write registry-host/],
    ['two references', () => ({ image: 'a:b', as: 'registry-host' }), /--image gives the whole reference/],
    ['an option for a reference', () => ({ image: '--quiet' }), /invalid image reference "--quiet"/],
    ['an empty reference', () => ({ image: '' }), /invalid image reference ""/],
    [
      'no time',
      () => ({ timeout: '60' }),
      /--timeout must be a duration .*, not "60"; write one such as 60s/,
    ],
    ['too much time', () => ({ timeout: '2h' }), /must be a duration between 1ms and 1h, not "2h"/],
    [
      'no proxy',
      () => ({ proxy: undefined }),
      /canary needs the address of the proxy; give it with --proxy or --config/,
    ],
    ['no address', () => ({ proxy: 'proxy' }), /invalid proxy address "proxy"/],
    [
      'a canary that cannot be written behind the proxy',
      () => ({ ...configured(ported), proxy: 'https://proxy:5050', as: 'registry-host' }),
      /has a port in its name .*; give the reference the client uses with --image/,
    ],
    ['a text file nobody reads', () => ({ textfile: '/tmp/x.txt' }), /must end in \.prom/],
  ])('%s is refused with the next step', async (_name, options, message) => {
    await expect(canary(options())).rejects.toThrow(message);
    await expect(canary(options())).rejects.toBeInstanceOf(CommandError);
  });
});

describe('--textfile', () => {
  test('replaces the file as a whole, readable for the exporter', async () => {
    const folder = createFolder();
    const textfile = join(folder, 'docker.prom');
    install('docker', REFUSES);
    expect(await canary({ textfile })).toBe(0);
    expect(statSync(textfile).mode & 0o777).toBe(0o644);
    expect(readFileSync(textfile, 'utf8')).toContain('pullwarden_canary_held{client="dockerd"} 1\n');
    chmodSync(textfile, 0o640);
    install('docker', 'exit 0');
    expect(await canary({ textfile })).toBe(3);
    expect(readFileSync(textfile, 'utf8')).toContain('pullwarden_canary_held{client="dockerd"} 0\n');
    expect(statSync(textfile).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['docker.prom']);
  });

  test('that cannot be written is an error, after the result was shown', async () => {
    install('docker', REFUSES);
    await expect(canary({ textfile: join(bin, 'none', 'x.prom') })).rejects.toThrow(
      /x\.prom cannot be written: ENOENT; the result is still "enforced"; give --textfile a path/,
    );
    expect(out.at(-1)).toMatch(/^enforced: /);
  });
});
