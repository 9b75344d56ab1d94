/** k3s and RKE2 (registry-clients.md §2.3). */
import { canaryReference, canarySteps, canaryTest } from '../canary/reference.ts';
import { clientCertificateSteps } from '../certificates.ts';
import { renderEgress } from '../egress/render.ts';
import { CLIENT_CERTIFICATE, quote } from '../hosts-toml/render.ts';
import type { ClientKit, Lock, ProxyEndpoint } from '../types.ts';

export type Distribution = 'k3s' | 'rke2';

export function renderK3s(lock: Lock, as: Distribution = 'k3s'): ClientKit {
  const egress = renderEgress(lock, { docker: false });
  const folder = `/etc/rancher/${as}`;
  return {
    title: as === 'k3s' ? 'k3s' : 'RKE2',
    warnings: [
      'The flag needs 1.26.13, 1.27.10, 1.28.6, 1.29.1 or later; earlier versions fall back to the registry itself.',
      'The flag is implemented by leaving "server" out of hosts.toml, which works with the embedded containerd only; test it after every upgrade.',
      `Images in /var/lib/rancher/${as}/agent/images are loaded without a pull, so nothing checks them.`,
    ],
    files: [
      { path: `${folder}/registries.yaml`, content: renderRegistries(lock), merge: false },
      {
        path: `${folder}/config.yaml.d/90-pullwarden.yaml`,
        content: `# Without this flag k3s falls back to the registry itself when the proxy refuses. It applies only to registries with a mirror.
disable-default-registry-endpoint: true
`,
        merge: false,
      },
      ...egress.files,
    ],
    steps: [
      ...clientCertificateSteps(lock.proxy),
      as === 'k3s'
        ? 'systemctl restart k3s (on an agent: k3s-agent)'
        : 'systemctl restart rke2-server (on an agent: rke2-agent)',
      ...egress.steps,
      ...canarySteps(lock),
    ],
    tests: [
      canaryTest(`${as === 'k3s' ? 'k3s crictl' : 'crictl'} pull ${canaryReference(lock)}`),
      ...egress.tests,
    ],
  };
}

/** `"*"` is for every registry without an entry of its own; the named entries override older ones. */
function renderRegistries({ proxy, names }: Lock): string {
  return [
    `# All pulls go to ${proxy.url}. "*" is needed: pulls from a registry without an entry go directly to it.`,
    'mirrors:',
    ...['*', ...names].flatMap((name) => [`  ${quote(name)}:`, `    endpoint: [${quote(proxy.url)}]`]),
    ...renderTls(proxy),
    '',
  ].join('\n');
}

function renderTls({ authority, ca, wantsClientCertificate }: ProxyEndpoint): readonly string[] {
  if (ca === undefined && !wantsClientCertificate) return [];
  const { cert, key } = CLIENT_CERTIFICATE;
  return [
    'configs:',
    `  ${quote(authority)}:`,
    '    tls:',
    ...(ca === undefined ? [] : [`      ca_file: ${quote(ca)}`]),
    ...(wantsClientCertificate ? [`      cert_file: ${quote(cert)}`, `      key_file: ${quote(key)}`] : []),
  ];
}
