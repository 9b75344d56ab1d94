/** BuildKit and buildx builders (registry-clients.md §2.5). */
import { canaryReference, canarySteps, canaryTest } from '../canary/reference.ts';
import { clientCertificateSteps } from '../certificates.ts';
import { renderEgress } from '../egress/render.ts';
import { CLIENT_CERTIFICATE, quote } from '../hosts-toml/render.ts';
import type { ClientKit, Lock, ProxyEndpoint } from '../types.ts';

const CONFIG = '/etc/buildkit/buildkitd.toml';

export function renderBuildkit(lock: Lock): ClientKit {
  const egress = renderEgress(lock, { docker: false });
  return {
    title: 'BuildKit',
    warnings: [
      'buildkitd.toml alone is fail-open: BuildKit always falls back to the registry itself, and no setting turns that off. The egress rules below enforce the lock.',
      'A buildx builder of the docker-container driver does not use the mirrors of dockerd; it needs this file (docker buildx create --config).',
      'The frontend ("# syntax=docker/dockerfile:1") is itself a pull, and must be signed as well.',
      'Pulls from registries without an entry below go directly to them: there is no entry for all registries.',
    ],
    files: [{ path: CONFIG, content: renderConfig(lock), merge: true }, ...egress.files],
    steps: [
      ...clientCertificateSteps(lock.proxy),
      `Restart buildkitd, or: docker buildx create --name locked --driver docker-container --config ${CONFIG} --use`,
      ...egress.steps,
      'A builder in a pod or in a container is not covered by rules for OUTPUT: use the NetworkPolicy, or the FORWARD rules of the node.',
      ...canarySteps(lock),
    ],
    tests: [
      canaryTest(`printf 'FROM ${canaryReference(lock)}\\n' | docker buildx build --no-cache --pull -`),
      ...egress.tests,
    ],
  };
}

/** BuildKit sends `?ns=`, so the bare address serves every registry. */
function renderConfig({ proxy, names }: Lock): string {
  return [
    `# Pulls go to ${proxy.url} first. BuildKit falls back to the registry itself after a refusal: without the egress`,
    '# rules that "pullwarden clients buildkit" prints, this file enforces nothing.',
    ...names.flatMap((name) => [`[registry.${quote(name)}]`, `  mirrors = [${quote(proxy.authority)}]`, '']),
    `[registry.${quote(proxy.authority)}]`,
    ...renderTransport(proxy).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function renderTransport({ scheme, ca, wantsClientCertificate }: ProxyEndpoint): readonly string[] {
  const { cert, key } = CLIENT_CERTIFICATE;
  return [
    `http = ${scheme === 'http'}`,
    ...(ca === undefined ? [] : [`ca = [${quote(ca)}]`]),
    ...(wantsClientCertificate ? [`keypair = [{ key = ${quote(key)}, cert = ${quote(cert)} }]`] : []),
  ];
}
