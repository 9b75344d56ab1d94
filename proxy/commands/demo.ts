/** `demo`: the whole proxy at work between an embedded registry and an embedded Notary server. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { loadConfig } from '../config/load-config.ts';
import { type DemoWorld, REGISTRY_NAME, REPOSITORY, type Story, startDemoWorld } from '../demo/world.ts';
import { type Runtime, startRuntime } from '../runtime/start.ts';
import { readVersion } from '../version.ts';
import type { CommandIo } from './io.ts';
import { type Signals, untilStopped } from './signals.ts';

type DemoOptions = { readonly once: boolean };
type Ports = { readonly pull: number; readonly admin: number };

/** The ports of config/pullwarden.example.yaml; where another program has them, any free ones. */
const USUAL_PORTS: Ports = { pull: 5050, admin: 9150 };
const FREE_PORTS: Ports = { pull: 0, admin: 0 };

/** @returns 0 when every pull was answered as it must be, 1 otherwise. */
export async function runDemo(
  { once }: DemoOptions,
  { io, signals }: { readonly io: CommandIo; readonly signals: Signals },
): Promise<number> {
  const world = await startDemoWorld();
  const folder = await mkdtemp(join(tmpdir(), 'pullwarden-demo-'));
  try {
    const runtime = await startProxy(
      world,
      folder,
      once ? [FREE_PORTS] : [USUAL_PORTS, FREE_PORTS],
      signals.version,
    );
    try {
      const allRight = await pullAll(world, runtime, io);
      if (!once) {
        io.out(describeAddresses(world, runtime, folder));
        await untilStopped(signals);
      }
      return allRight ? 0 : 1;
    } finally {
      await runtime.close(1000);
    }
  } finally {
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startProxy(
  world: DemoWorld,
  folder: string,
  [ports = FREE_PORTS, ...others]: readonly Ports[],
  node: string,
): Promise<Runtime> {
  const file = join(folder, 'pullwarden.yaml');
  await writeFile(file, toConfigText(world, ports));
  try {
    // The demo tells its own story; the proxy's log would only be in the way.
    return await startRuntime(await loadConfig(file), {
      version: readVersion(),
      node,
      logTo: { write: () => undefined },
    });
  } catch (error) {
    const inUse =
      typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE';
    if (inUse && others.length > 0) return startProxy(world, folder, others, node);
    throw error;
  }
}

function toConfigText({ registry, notary, rootKeyId }: DemoWorld, ports: Ports): string {
  return `listen: { address: 127.0.0.1, port: ${ports.pull} }
admin: { address: 127.0.0.1, port: ${ports.admin} }
defaultRegistry: ${REGISTRY_NAME}
registries:
  - name: ${REGISTRY_NAME}
    upstream: ${registry.url}
    trust: { server: ${notary.url} }
trust:
  state: { kind: memory }
  refresh: 2s
  pins:
    - { match: ${REGISTRY_NAME}/shop/*, rootKeys: [${rootKeyId}] }
policy:
  rules:
    - { name: shop, match: ${REGISTRY_NAME}/shop/*, mode: enforce }
`;
}

async function pullAll({ stories }: DemoWorld, { port }: Runtime, io: CommandIo): Promise<boolean> {
  io.out(`Pulling ${REGISTRY_NAME}/${REPOSITORY} through Pullwarden on 127.0.0.1:${port}\n`);
  let allRight = true;
  for (const story of stories) {
    const answer = await pull(`http://127.0.0.1:${port}/v2/${REPOSITORY}`, story.tag);
    const right = isAsExpected(story, answer);
    allRight &&= right;
    io.out(`${REPOSITORY}:${story.tag}  ${story.told}`);
    io.out(
      `  ${answer.kind === 'served' ? `SERVED   ${answer.digest}` : `REFUSED  ${answer.reason}: ${answer.message}`}`,
    );
    io.out(right ? '  as it should be\n' : `  WRONG: expected ${JSON.stringify(story.expected)}\n`);
  }
  io.out(allRight ? 'Every answer was right.' : 'Some answers were wrong.');
  return allRight;
}

type PullAnswer =
  | { readonly kind: 'served'; readonly digest: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };

type Manifest = {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
};
type ErrorBody = {
  readonly errors: readonly { readonly message: string; readonly detail: { readonly reason: string } }[];
};

/** What a client does: the manifest by tag, then every blob it names, each compared with its digest. */
async function pull(base: string, tag: string): Promise<PullAnswer> {
  const manifest = await request(`${base}/manifests/${tag}`);
  const bytes = Buffer.from(await manifest.body.arrayBuffer());
  if (manifest.statusCode !== 200) {
    const [error] = (JSON.parse(bytes.toString('utf8')) as ErrorBody).errors;
    return { kind: 'refused', reason: error?.detail.reason ?? '', message: error?.message ?? '' };
  }
  const { config, layers } = JSON.parse(bytes.toString('utf8')) as Manifest;
  for (const { digest } of [config, ...layers]) {
    const blob = await request(`${base}/blobs/${digest}`);
    const got = toDigest(Buffer.from(await blob.body.arrayBuffer()));
    if (got !== digest) return { kind: 'refused', reason: 'blob', message: `blob ${digest} came as ${got}` };
  }
  return { kind: 'served', digest: toDigest(bytes) };
}

function isAsExpected({ expected }: Story, answer: PullAnswer): boolean {
  if ('digest' in expected) return answer.kind === 'served' && answer.digest === expected.digest;
  return answer.kind === 'refused' && answer.reason === expected.reason;
}

function toDigest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function describeAddresses({ registry, notary }: DemoWorld, runtime: Runtime, folder: string): string {
  const proxy = `127.0.0.1:${runtime.port}`;
  const admin = `http://127.0.0.1:${runtime.adminPort}`;
  return `
  proxy      http://${proxy}
  admin      ${admin}/   (/metrics, /readyz, /api/status)
  registry   ${registry.url}   (behind the proxy)
  notary     ${notary.url}   (embedded Notary server)

Try it:
  curl -i http://${proxy}/v2/${REPOSITORY}/manifests/signed
  curl -i http://${proxy}/v2/${REPOSITORY}/manifests/unsigned
  curl -s http://${proxy}/v2/${REPOSITORY}/tags/list
  docker pull ${proxy}/${REPOSITORY}:signed
  docker pull ${proxy}/${REPOSITORY}:unsigned
  curl -s ${admin}/metrics | grep pullwarden_decisions_total
  node dist/main.js inspect ${REGISTRY_NAME}/${REPOSITORY} --config ${join(folder, 'pullwarden.yaml')}

Ctrl-C stops it.`;
}
