/** The proxy as the target of a DNS override (registry-clients.md §1.5 C): names of registries lead to it, on port 443. */
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { createAuthority } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { NotaryClient } from './notary.ts';
import { startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, type Result, run } from './process.ts';
import { programOf } from './programs.ts';
import { startProxy } from './proxy.ts';
import { startRegistry } from './registry.ts';

const HUB = ['registry-1.docker.io', 'index.docker.io'];
const GUN = 'docker.io/library/img';
const OTHER = 'registry.example.com';

describeReal(
  'the proxy as the target of a DNS override',
  ['docker-registry', 'notary-server', 'notary', 'dockerd', 'docker', 'openssl', 'skopeo'],
  () => {
    let skopeo: (...args: readonly string[]) => Promise<Result>;
    let digest: string;

    beforeAll(async () => {
      const folder = await makeTempDir('override');
      const authority = await createAuthority(folder);
      const [proxyPair, hubPair] = [
        await authority.issue('proxy', 'serverAuth', [OTHER]),
        await authority.issue('hub', 'serverAuth', HUB),
      ];
      const [registry, trust, daemon] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
      ]);
      const docker = await DockerClient.create({ host: daemon.host });
      const push = async (tag: string) => {
        await docker.importImage(`${registry.address}/library/img:${tag}`, tag);
        return await docker.push(`${registry.address}/library/img:${tag}`);
      };
      const signed = await push('signed');
      digest = signed.digest;
      await push('unsigned');
      const notary = await NotaryClient.create(trust);
      await notary.init(GUN);
      await notary.addHash(GUN, 'signed', signed.size, digest.slice('sha256:'.length));
      // An address of its own, because registries are at port 443.
      const address = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
      const upstream = { upstream: registry.url, trust: { server: trust.url, ca: trust.caFile } };
      const tls = { cert: proxyPair.certFile, key: proxyPair.keyFile };
      await startProxy({
        registry,
        trust,
        settings: {
          listen: {
            address,
            port: 443,
            tls: { ...tls, certificates: [{ hosts: HUB, cert: hubPair.certFile, key: hubPair.keyFile }] },
          },
          defaultRegistry: undefined,
          registries: [
            { name: 'docker.io', aliases: HUB, ...upstream },
            { name: OTHER, ...upstream },
          ],
          policy: { rules: [{ name: 'all', match: 'docker.io/**', mode: 'enforce' }] },
        },
      });
      const hosts = join(folder, 'hosts');
      await writeFile(
        hosts,
        [...HUB, OTHER, 'unknown.example.com'].map((name) => `${address} ${name}\n`).join(''),
      );
      // Only these programs see these names: in a mount namespace of their own.
      const inside = `mount --bind ${hosts} /etc/hosts && exec ${programOf('skopeo')} --insecure-policy "$@"`;
      const env = { SSL_CERT_FILE: authority.caFile, HOME: folder, TMPDIR: folder };
      skopeo = (...args) => run('unshare', ['--mount', 'sh', '-c', inside, 'sh', ...args], { env });
    }, SETUP_TIMEOUT);

    test.each(['docker.io/library/img', 'registry-1.docker.io/library/img', 'index.docker.io/library/img'])(
      '%s is judged as docker.io/library/img',
      async (name) => {
        const served = await skopeo('inspect', '--format', '{{.Digest}}', `docker://${name}:signed`);
        expect(served).toMatchObject({ status: 0, stdout: `${digest}\n` });
        const refused = await skopeo('inspect', `docker://${name}:unsigned`);
        expect([refused.status, refused.stderr]).toEqual([
          1,
          expect.stringContaining('docker.io/library/img:unsigned is not signed: no valid signature'),
        ]);
      },
    );

    test('the other registry is another one, with rules of its own: here, none', async () => {
      const { status, stderr } = await skopeo('inspect', `docker://${OTHER}/library/img:signed`);
      expect([status, stderr]).toEqual([1, expect.stringContaining(`${OTHER}/library/img`)]);
    });

    test('a name that nobody configured gets a certificate that is not its own, and nothing else', async () => {
      const { status, stderr } = await skopeo('inspect', 'docker://unknown.example.com/library/img:signed');
      expect([status, stderr]).toEqual([1, expect.stringContaining('certificate is valid for')]);
    });
  },
);
