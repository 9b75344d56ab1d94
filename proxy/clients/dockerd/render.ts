/** dockerd, in the three forms of registry-clients.md §1.5: as registry host (A), as HTTPS_PROXY (B), as mirror (D). */
import { isIP } from 'node:net';
import { DOCKER_HUB } from '../../names/reference.ts';
import { formatCanary, HUB_CANARY } from '../../policy/canary.ts';
import { canaryReference, canarySteps, canaryTest, hostReference } from '../canary/reference.ts';
import { certsFolderSteps } from '../certificates.ts';
import { renderEgress } from '../egress/render.ts';
import { renderHostsFolder } from '../hosts-toml/render.ts';
import { LockError } from '../lock-error.ts';
import type { ClientFile, ClientKit, Lock, ProxyEndpoint } from '../types.ts';

export const DOCKERD_FORMS = ['registry-host', 'mirror', 'https-proxy'] as const;
export type DockerdForm = (typeof DOCKERD_FORMS)[number];

const DAEMON_JSON = '/etc/docker/daemon.json';
export const DOCKER_CERTS_D = '/etc/docker/certs.d';

const RESTART = 'systemctl daemon-reload && systemctl restart docker';

export function renderDockerd(lock: Lock, as: DockerdForm = 'registry-host'): ClientKit {
  switch (as) {
    case 'registry-host':
      return renderRegistryHost(lock);
    case 'mirror':
      return renderMirror(lock);
    case 'https-proxy':
      return renderHttpsProxy(lock);
  }
}

function renderRegistryHost(lock: Lock): ClientKit {
  const { proxy, registries } = lock;
  const canary = hostReference(lock);
  const egress = renderEgress(lock, { docker: true });
  const forms = registries.flatMap(({ name, path }) =>
    path === undefined ? [] : [`${name}/... becomes ${proxy.authority}${path}/...`],
  );
  return {
    title: 'dockerd, with the proxy as the registry in image references',
    warnings: [
      'A pull that names another registry (docker pull alpine) does not go through the proxy; the egress rules below reject it.',
      ...unreachable(lock),
    ],
    files: [...daemonJson(proxy, {}), ...hostsFiles(lock), ...egress.files],
    steps: [
      `Write the proxy into image references: ${forms.join('; ')}.`,
      ...certsFolderSteps(DOCKER_CERTS_D, proxy),
      RESTART,
      ...egress.steps,
      ...canarySteps(lock),
    ],
    tests: [
      ...(canary === undefined ? [] : [canaryTest(`docker pull ${canary}`)]),
      {
        command: `docker pull ${formatCanary(HUB_CANARY)}`,
        expected: 'fails: the registry itself cannot be reached',
      },
      ...egress.tests,
    ],
  };
}

function renderMirror(lock: Lock): ClientKit {
  if (lock.defaultRegistry !== DOCKER_HUB) {
    throw new LockError(
      `requests to a mirror name no registry, and the default registry of this proxy is ${lock.defaultRegistry ?? 'not set'}; set defaultRegistry: ${DOCKER_HUB}, or use --as registry-host`,
    );
  }
  const egress = renderEgress(lock, { docker: true });
  const isHub = lock.canary.registry === DOCKER_HUB;
  const hub = { canary: isHub ? lock.canary : HUB_CANARY };
  return {
    title: 'dockerd, with the proxy as registry mirror',
    warnings: [
      'registry-mirrors ALONE IS FAIL-OPEN: while the proxy is unreachable dockerd falls back to Docker Hub, and no setting turns that off. The egress rules below enforce the lock, not daemon.json.',
      'The proxy refuses with a status line at which dockerd stops and shows the reason (tested with 20.10 and 28). If something between dockerd and the proxy rewrites status lines, dockerd falls back to Docker Hub; with --as registry-host it does not.',
      'dockerd uses the mirror for docker.io only; pulls of registry-1.docker.io/..., quay.io/... and all others go directly to the registries, where the egress rules reject them.',
    ],
    files: [
      ...daemonJson(lock.proxy, { 'registry-mirrors': [lock.proxy.url] }),
      ...hostsFiles(lock),
      ...egress.files,
    ],
    steps: [
      ...certsFolderSteps(DOCKER_CERTS_D, lock.proxy),
      RESTART,
      ...egress.steps,
      ...(isHub ? [] : [hubCanaryStep(lock)]),
      ...canarySteps(hub),
    ],
    tests: [canaryTest(`docker pull ${canaryReference(hub)}`), ...egress.tests],
  };
}

function hubCanaryStep(lock: Lock): string {
  return `In the proxy's configuration: canary: { image: "${formatCanary(HUB_CANARY)}" }. dockerd uses a mirror for docker.io only, and ${canaryReference(lock)} is not there.`;
}

/**
 * registry-clients.md §1.5 row B. A drop-in and not daemon.json's `proxies`, which dockerd before 23 refuses to start with.
 */
function renderHttpsProxy(lock: Lock): ClientKit {
  const { proxy } = lock;
  const egress = renderEgress(lock, { docker: true });
  const variables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];
  const content = [
    '# Every registry and every alias goes through the proxy. NO_PROXY is emptied: hosts it names bypass the proxy.',
    '[Service]',
    ...variables.map((name) => `Environment="${name}=${proxy.url}"`),
    'Environment="NO_PROXY=" "no_proxy="',
    '',
  ].join('\n');
  return {
    title: 'dockerd, with the proxy as HTTPS_PROXY',
    warnings: [
      ...uncertified(lock),
      'NO_PROXY bypasses the proxy: a later drop-in, /etc/default/docker or daemon.json "proxies" that sets it exempts the hosts it names.',
    ],
    files: [
      {
        path: '/etc/systemd/system/docker.service.d/90-pullwarden.conf',
        content,
        merge: false,
      },
      ...egress.files,
    ],
    steps: [...interceptionSteps(lock), RESTART, ...egress.steps, ...canarySteps(lock)],
    tests: [canaryTest(`docker pull ${canaryReference(lock)}`), ...egress.tests],
  };
}

/** The names under which a daemon dials registries: Docker Hub's is never docker.io itself. */
function dialledNames({ registries }: Lock): readonly string[] {
  return registries.flatMap(({ name, aliases }) => (name === DOCKER_HUB ? aliases : [name, ...aliases]));
}

function uncertified(lock: Lock): readonly string[] {
  const missing = dialledNames(lock).filter((name) => !lock.intercepted.includes(name));
  if (missing.length === 0) return [];
  return [
    `The configuration has no certificate for ${missing.join(', ')} under listen.connect, so the proxy refuses these by CONNECT (closed); the steps below make one.`,
  ];
}

/**
 * How to make the certificate the proxy shows for the registries' names (registry-clients.md §1.3: it must be in the
 * system's trust).
 */
function interceptionSteps(lock: Lock): readonly string[] {
  const names = dialledNames(lock);
  const hosts = names.map((name) => name.replace(/:[0-9]+$/, ''));
  const alternatives = [...new Set(hosts)].map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`);
  const ca = '/etc/pullwarden/interception-ca.crt';
  const trusted = '/usr/local/share/ca-certificates';
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  return [
    `Create a CA, once, on another machine than the proxy: openssl req -x509 ${key} -days 1825 -subj "/CN=Registry interception" -keyout ca.key -out ca.crt`,
    `Create the proxy's certificate: openssl req ${key} -subj "/CN=registries" -addext "subjectAltName=${alternatives.join(',')}" -keyout registries.key -out registries.csr && openssl x509 -req -in registries.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -copy_extensions copyall -out registries.crt`,
    `In the proxy's configuration: listen: { connect: { certificates: [{ hosts: [${names.join(', ')}], cert: ./registries.crt, key: ./registries.key }], tunnel: ["auth.docker.io:443", "production.cloudflare.docker.com:443"] } }`,
    `On the node, with the ca.crt of that CA as ${ca}: install -D -m 0644 ${ca} ${trusted}/registry-interception.crt && update-ca-certificates`,
    ...(lock.proxy.ca === undefined
      ? []
      : [
          `Install the CA of the proxy's own certificate too: install -D -m 0644 ${lock.proxy.ca} ${trusted}/pullwarden.crt && update-ca-certificates`,
        ]),
  ];
}

/**
 * Plain HTTP needs insecure-registries, also for a mirror: the BuildKit in dockerd 20.10 keeps host and port of a
 * mirror only and dials it with TLS (registry-clients.md §1.1).
 */
function daemonJson(
  { scheme, authority }: ProxyEndpoint,
  settings: Readonly<Record<string, unknown>>,
): readonly ClientFile[] {
  const all = { ...settings, ...(scheme === 'http' ? { 'insecure-registries': [authority] } : {}) };
  if (Object.keys(all).length === 0) return [];
  return [{ path: DAEMON_JSON, content: `${JSON.stringify(all, undefined, 2)}\n`, merge: true }];
}

/**
 * registry-clients.md §1.5 row E: the containerd image store of Docker 28 and later reads hosts.toml; the classic one
 * ignores it.
 */
function hostsFiles(lock: Lock): readonly ClientFile[] {
  return renderHostsFolder(DOCKER_CERTS_D, lock);
}

function unreachable({ registries }: Lock): readonly string[] {
  return registries
    .filter(({ path }) => path === undefined)
    .map(
      ({ name }) =>
        `${name} has a port in its name and cannot follow the proxy's address in a reference; give it its own host (registries[].hosts).`,
    );
}
