/**
 * The egress rules of `pullwarden clients` in the kernel: between two network namespaces of their own, so that nothing
 * of the machine's is touched. Needs root, iproute2, iptables and nftables; says so where one is missing.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { createLockWithoutConfig } from '../../proxy/clients/lock.ts';
import { renderKit } from '../../proxy/clients/render.ts';
import { describeReal } from './parts.ts';
import { makeTempDir, run } from './process.ts';

const NEEDED = ['iptables-restore', 'ip6tables-restore', 'nft', 'ip'] as const;

/** The registry's address and the proxy's, of the range for documentation (RFC 5737). */
const OUTSIDE = '192.0.2.2';
const PROXY = '192.0.2.3';

/** Listens once it has its addresses; ends by itself, whatever becomes of the test. */
const SERVER = `
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
const isReady = () => Object.values(networkInterfaces()).flat().some(({ address }) => address === '${PROXY}');
const start = () => {
  if (!isReady()) return setTimeout(start, 20);
  for (const [port, address] of [[443, '${OUTSIDE}'], [443, '${PROXY}'], [8443, '${OUTSIDE}']]) {
    createServer((_, response) => response.end('reached')).listen(port, address);
  }
};
start();
setTimeout(() => process.exit(), 60_000);
`;

/** Prints what became of each attempt: an HTTP status, or the code of the error. */
const CLIENT = `
import http from 'node:http';
import https from 'node:https';
const attempts = {
  plain: (name) => [http, { host: '${OUTSIDE}', port: 443, headers: { host: name } }],
  tls: (name) => [https, { host: '${OUTSIDE}', port: 443, servername: name }],
  other: (name) => [http, { host: '${OUTSIDE}', port: 8443, headers: { host: name } }],
  proxy: (name) => [http, { host: '${PROXY}', port: 443, headers: { host: name } }],
};
const ask = ([client, options]) => new Promise((done) => {
  const request = client.get({ ...options, path: '/v2/', agent: false, timeout: 3000 }, ({ statusCode }) => done(statusCode));
  request.on('error', ({ code }) => done(code)).on('timeout', () => done('timeout'));
});
const said = {};
for (const word of process.argv.slice(2)) {
  const [kind, name] = word.split('=');
  said[word] = await ask(attempts[kind](name));
}
process.stdout.write(JSON.stringify(said));
`;

/** $1 the commands that load the rules, $2 the server's script, $3 the client's, then the attempts. */
const NAMESPACES = `
load=$1 server=$2 client=$3; shift 3
ip link set lo up
unshare --net "$NODE" "$server" & outside=$!
for _ in $(seq 50); do [ "$(readlink /proc/$outside/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && break; sleep 0.05; done
trap 'kill $outside' EXIT
ip link add up0 type veth peer name down0
ip link set down0 netns $outside
ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up
nsenter --net=/proc/$outside/ns/net sh -c 'ip addr add ${OUTSIDE}/24 dev down0; ip addr add ${PROXY}/24 dev down0; ip link set down0 up; ip link set lo up'
for _ in $(seq 100); do "$NODE" "$client" other=ready | grep -q 200 && break; sleep 0.05; done
sh -ec "$load" && "$NODE" "$client" "$@"
`;

describeReal('the egress rules', NEEDED, () => {
  let folder: string;

  beforeAll(async () => {
    folder = await makeTempDir('egress');
    const lock = createLockWithoutConfig(`http://${PROXY}:443`, undefined);
    const { files } = renderKit('dockerd', lock, undefined);
    const find = (ending: string) => files.find(({ path }) => path.endsWith(ending))?.content ?? '';
    // systemd writes $$ for a dollar.
    const [, join_ = ''] = /^ExecStart=\/bin\/sh -ec '(.*)'$/m.exec(find('.service')) ?? [];
    await writeFile(join(folder, 'rules'), find('.rules'));
    await writeFile(join(folder, 'nft'), find('.nft'));
    await writeFile(join(folder, 'chain'), join_.replaceAll('$$', '$'));
    await writeFile(join(folder, 'server.mjs'), SERVER);
    await writeFile(join(folder, 'client.mjs'), CLIENT);
    await writeFile(join(folder, 'namespaces.sh'), NAMESPACES);
  });

  const attempt = async (load: string, ...attempts: readonly string[]): Promise<unknown> => {
    const [script, server, client] = ['namespaces.sh', 'server.mjs', 'client.mjs'].map((name) =>
      join(folder, name),
    );
    const args = ['--net', 'bash', `${script}`, load, `${server}`, `${client}`, ...attempts];
    const { status, stdout, stderr } = await run('unshare', args, { env: { NODE: process.execPath } });
    if (status !== 0) throw new Error(`ended with ${status}\n${stdout}${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as unknown;
  };
  const iptables = () =>
    `iptables-restore --noflush ${folder}/rules; ip6tables-restore --noflush ${folder}/rules; sh -e ${folder}/chain`;

  test('without them everything is reached', async () => {
    expect(await attempt('true', 'plain=registry-1.docker.io', 'tls=registry-1.docker.io')).toEqual({
      'plain=registry-1.docker.io': 200,
      // It got as far as the server, which does not speak TLS.
      'tls=registry-1.docker.io': 'EPROTO',
    });
  });

  test('iptables refuses registries by name at once, over TLS too, and nothing else', async () => {
    const words = ['plain=registry-1.docker.io', 'tls=registry-1.docker.io', 'tls=auth.docker.io'];
    const others = ['plain=example.com', 'tls=example.com', 'proxy=registry-1.docker.io'];
    expect(await attempt(iptables(), ...words, ...others)).toEqual({
      'plain=registry-1.docker.io': 'ECONNRESET',
      'tls=registry-1.docker.io': 'ECONNRESET',
      'tls=auth.docker.io': 'ECONNRESET',
      'plain=example.com': 200,
      'tls=example.com': 'EPROTO',
      'proxy=registry-1.docker.io': 200,
    });
  });

  test('iptables can be loaded twice', async () => {
    const twice = `${iptables()}; ${iptables()}; test "$(iptables -S OUTPUT | grep -c PULLWARDEN)" = 1`;
    expect(await attempt(twice, 'plain=index.docker.io')).toEqual({ 'plain=index.docker.io': 'ECONNRESET' });
  });

  test('nftables lets root reach the proxy and other ports, and no registry', async () => {
    const words = ['plain=example.com', 'tls=registry-1.docker.io', 'proxy=docker.io', 'other=example.com'];
    expect(await attempt(`nft -f ${folder}/nft; nft -f ${folder}/nft`, ...words)).toEqual({
      'plain=example.com': 'ECONNREFUSED',
      'tls=registry-1.docker.io': 'ECONNREFUSED',
      'proxy=docker.io': 200,
      'other=example.com': 200,
    });
  });
});
