{{- /* config.yaml: what the values say, with the addresses, certificates and drain that the chart knows. */ -}}
{{- define "wxgate.config" -}}
{{- $certificates := list -}}
{{- range .Values.tls -}}
{{- $folder := printf "/run/secrets/wxgate-tls/%s" .secretName -}}
{{- $certificates = append $certificates (dict "cert" (printf "%s/tls.crt" $folder) "key" (printf "%s/tls.key" $folder) "name" .secretName) -}}
{{- end -}}
{{- $listen := dict "http" (list (printf "[::]:%d" (int .Values.ports.http))) "admin" (printf "[::]:%d" (int .Values.ports.admin)) -}}
{{- $_ := set $listen "https" (ternary (list (printf "[::]:%d" (int .Values.ports.https))) list (not (empty .Values.tls))) -}}
{{- $drain := dict "delay" (printf "%ds" (int .Values.drain.delaySeconds)) "timeout" (printf "%ds" (int .Values.drain.timeoutSeconds)) -}}
{{- $own := dict "listen" $listen "drain" $drain -}}
{{- if $certificates -}}{{- $_ := set $own "tls" (dict "certificates" $certificates) -}}{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end }}
