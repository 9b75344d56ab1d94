/** containerd, by itself or under Kubernetes (registry-clients.md §2.1, §2.2). */
import { canaryReference, canarySteps, canaryTest } from '../canary/reference.ts';
import { clientCertificateSteps } from '../certificates.ts';
import { renderEgress } from '../egress/render.ts';
import { renderHostsFolder } from '../hosts-toml/render.ts';
import type { ClientKit, Lock } from '../types.ts';

export const CERTS_D = '/etc/containerd/certs.d';

/** Version 2 is read by 1.6, 1.7 and 2.x; the schema of version 3 by 2.x alone. */
const CONFIG_TOML = `version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${CERTS_D}"
`;

export function renderContainerd(lock: Lock): ClientKit {
  const egress = renderEgress(lock, { docker: false });
  const reference = canaryReference(lock);
  return {
    title: 'containerd 1.6, 1.7 and 2.x',
    warnings: [
      'containerd ignores a hosts.toml that it cannot parse, and pulls directly from the registry: test on every node, after every change.',
      'Registries that this proxy does not serve are refused too: _default covers them.',
    ],
    files: [
      ...renderHostsFolder(CERTS_D, lock),
      { path: '/etc/containerd/config.toml', content: CONFIG_TOML, merge: true },
      ...egress.files,
    ],
    steps: [
      'Put config_path into the existing /etc/containerd/config.toml. In a file with "version = 3" the table is [plugins."io.containerd.cri.v1.images".registry].',
      'Remove registry.mirrors and registry.configs from it: they conflict with config_path, and mirrors always fall back to the registry itself.',
      'Remove every other folder below /etc/containerd/certs.d: it takes precedence over _default.',
      ...clientCertificateSteps(lock.proxy),
      'systemctl restart containerd (for config_path; hosts.toml is read at every pull).',
      ...egress.steps,
      ...canarySteps(lock),
    ],
    tests: [
      canaryTest(`crictl pull ${reference}`),
      canaryTest(`ctr images pull --hosts-dir ${CERTS_D} ${reference}`),
      ...egress.tests,
    ],
  };
}
