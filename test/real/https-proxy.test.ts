/** The proxy as a node's HTTPS_PROXY (registry-clients.md §1.5 B): every name of Docker Hub is judged, the rest is refused. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createAuthority, type KeyPair } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { type Egress, startEgress } from './egress.ts';
import { NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, type Result, run } from './process.ts';
import { programOf } from './programs.ts';
import { type RunningProxy, startProxy } from './proxy.ts';
import { type Registry, startRegistry } from './registry.ts';

const HUB = ['registry-1.docker.io', 'index.docker.io'];
const GUN = 'docker.io/library/img';
/** What people write for one and the same repository. */
const NAMES = [
  'img',
  'docker.io/library/img',
  'index.docker.io/library/img',
  'registry-1.docker.io/library/img',
];
const UNSIGNED =
  'docker.io/library/img:unsigned is not signed: no valid signature in targets/releases or targets; sign it with';

describeReal(
  'the proxy as HTTPS_PROXY',
  ['docker-registry', 'notary-server', 'notary', 'dockerd', 'docker', 'openssl', 'skopeo'],
  () => {
    let registry: Registry;
    let proxy: RunningProxy;
    let docker: DockerClient;
    let egress: Egress;
    let env: Readonly<Record<string, string>>;
    const digests = { signed: '', moved: '', unsigned: '' };

    /** Straight into the registry behind the proxy, past every signature. */
    const push = async (tag: string, content: string) => {
      const image = `${registry.address}/library/img:${tag}`;
      await docker.importImage(image, content);
      return await docker.push(image);
    };
    const skopeo = async (image: string): Promise<Result & { readonly digest: string }> => {
      const folder = await makeTempDir('skopeo');
      const args = ['--insecure-policy', 'copy', `docker://${image}`, `dir:${folder}`];
      const result = await run(programOf('skopeo'), args, { env: { ...env, HOME: folder, TMPDIR: folder } });
      const manifest = await readFile(join(folder, 'manifest.json')).catch(() => '');
      return { ...result, digest: `sha256:${createHash('sha256').update(manifest).digest('hex')}` };
    };

    beforeAll(async () => {
      const authority = await createAuthority(await makeTempDir('https-proxy'));
      const hub = await authority.issue('hub', 'serverAuth', HUB);
      const [started, trust] = await Promise.all([startRegistry(), startNotaryServer()]);
      registry = started;
      egress = await startEgress();
      proxy = await startProxy({ registry, trust, settings: inPlaceOfHub(hub, registry, trust) });
      // What is asked in plain HTTP would end at the recorder.
      env = { ...egress.env, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: authority.caFile };
      const daemon = await startDockerd({ env });
      docker = await DockerClient.create({ host: daemon.host });
      const notary = await NotaryClient.create(trust);
      const { digest, size } = await push('signed', 'signed');
      await notary.init(GUN);
      await notary.addHash(GUN, 'signed', size, digest.slice('sha256:'.length));
      digests.signed = digest;
      digests.moved = (await push('signed', 'moved')).digest;
      digests.unsigned = (await push('unsigned', 'unsigned')).digest;
    }, SETUP_TIMEOUT);

    beforeEach(async () => {
      const ids = (await docker.dockerOk(['image', 'ls', '--quiet', '--no-trunc'])).stdout.trim().split('\n');
      const known = [...new Set(ids)].filter((id) => id !== '');
      if (known.length > 0) await docker.dockerOk(['image', 'rm', '--force', ...known]);
    });

    test.each(NAMES)(
      'docker pulls %s:signed as it was signed, though the tag was pushed over',
      async (name) => {
        expect(await docker.pull(`${name}:signed`)).toMatchObject({ status: 0 });
        expect(await docker.repoDigests(`${name}:signed`)).toEqual([digests.signed]);
      },
    );

    test.each(NAMES)('docker is refused %s:unsigned and told so', async (name) => {
      const { status, stderr } = await docker.pull(`${name}:unsigned`);
      expect([status, stderr]).toEqual([1, expect.stringContaining(UNSIGNED)]);
    });

    test('docker pulls what is not signed by its digest', async () => {
      expect(await docker.pull(`img@${digests.unsigned}`)).toMatchObject({ status: 0 });
    });

    test('a repository nobody signed is refused and told so', async () => {
      const { status, stderr } = await docker.pull('team/none:1');
      expect(status).toBe(1);
      expect(stderr).toContain(
        'docker.io/team/none:1 is not signed: there is no trust data for docker.io/team/none',
      );
    });

    test.each(['quay.io', 'ghcr.io', 'registry.hub.docker.com'])(
      'docker is refused %s, which the proxy is not configured for, and told so',
      async (host) => {
        const { status, stderr } = await docker.pull(`${host}/library/img:signed`);
        expect([status, stderr]).toEqual([
          1,
          expect.stringContaining(`Denied by Pullwarden: ${host} is not a registry this proxy serves`),
        ]);
      },
    );

    test('a registry with a name but without a certificate is refused, and told so', async () => {
      const { status, stderr } = await docker.pull('bare.example.com/library/img:signed');
      expect(status).toBe(1);
      expect(stderr).toContain('Denied by Pullwarden: this proxy has no certificate for bare.example.com');
    });

    test('skopeo is served and refused in the same way', async () => {
      expect(await skopeo('docker.io/library/img:signed')).toMatchObject({
        status: 0,
        digest: digests.signed,
      });
      const refused = await skopeo('docker.io/library/img:unsigned');
      expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining(UNSIGNED)]);
      const unknown = await skopeo('quay.io/library/img:signed');
      expect([unknown.status, unknown.stderr]).toEqual([
        1,
        expect.stringContaining('Denied by Pullwarden: quay.io is not a registry this proxy serves'),
      ]);
    });

    test('an insecure registry over plain HTTP does not get past either', async () => {
      const answer = await run(
        programOf('skopeo'),
        [...['--insecure-policy', 'inspect', '--tls-verify=false', 'docker://quay.io/library/img:signed']],
        { env: { ...env, HTTP_PROXY: proxy.url, HOME: '/nonexistent' } },
      );
      expect(answer.status).toBe(1);
      expect(proxy.log()).not.toContain('"tunnelled"');
    });

    test('nothing went out: every connection ended at the proxy, and the recorder saw none', async () => {
      expect(egress.look()).toEqual([]);
      const metrics = await proxy.metrics();
      expect(metrics).toMatch(/^pullwarden_connects_total\{result="terminated"\} [1-9]/m);
      expect(metrics).toMatch(/^pullwarden_connects_total\{result="refused"\} [1-9]/m);
      expect(metrics).toMatch(/^pullwarden_connects_total\{result="tunnelled"\} 0$/m);
      expect(metrics).toMatch(/^pullwarden_connects_total\{result="failed"\} 0$/m);
    });
  },
);

/** The registry plays Docker Hub; a second name stands for a registry the operator made no certificate for. */
function inPlaceOfHub(
  { certFile: cert, keyFile: key }: KeyPair,
  { url: upstream }: Registry,
  { url: server, caFile: ca }: NotaryServer,
): Readonly<Record<string, unknown>> {
  const registries = [
    { name: 'docker.io', aliases: HUB },
    { name: 'bare.example.com', aliases: [] },
  ].map((names) => ({ ...names, upstream, trust: { server, ca } }));
  return {
    listen: {
      address: '127.0.0.1',
      port: 0,
      connect: { certificates: [{ hosts: HUB, cert, key }], tunnel: ['auth.docker.io:443'] },
    },
    defaultRegistry: 'docker.io',
    registries,
    policy: { unmatched: 'deny', rules: [{ name: 'all', match: 'docker.io/**', mode: 'enforce' }] },
  };
}
