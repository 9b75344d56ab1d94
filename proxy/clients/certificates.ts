/** The steps that put certificates where clients look for them. */
import { CLIENT_CERTIFICATE } from './hosts-toml/render.ts';
import type { ProxyEndpoint } from './types.ts';

/** The node's own certificate, for a proxy with `listen.tls.clientCa`. */
export function clientCertificateSteps({ wantsClientCertificate }: ProxyEndpoint): readonly string[] {
  if (!wantsClientCertificate) return [];
  const { cert, key } = CLIENT_CERTIFICATE;
  return [`Put this node's certificate into ${cert} and its key into ${key}: the proxy requires it.`];
}

/**
 * dockerd, podman, skopeo, buildah and CRI-O find certificates by folder, not by configuration (registry-clients.md §1.3).
 */
export function certsFolderSteps(folder: string, proxy: ProxyEndpoint): readonly string[] {
  const place = `${folder}/${proxy.authority}`;
  const { cert, key } = CLIENT_CERTIFICATE;
  return [
    ...(proxy.ca === undefined ? [] : [`install -D -m 0644 ${proxy.ca} ${place}/ca.crt`]),
    ...clientCertificateSteps(proxy),
    ...(proxy.wantsClientCertificate
      ? [`install -D -m 0600 ${cert} ${place}/client.cert && install -m 0600 ${key} ${place}/client.key`]
      : []),
  ];
}
