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
{{- $tls := dict -}}
{{- if $certificates -}}{{- $_ := set $tls "certificates" $certificates -}}{{- end -}}
{{- if .Values.ticketKeys.existingSecret -}}
{{- $_ := set $tls "ticket_keys" (list "/run/secrets/wxgate-tickets/current" "/run/secrets/wxgate-tickets/next" "/run/secrets/wxgate-tickets/previous") -}}
{{- end -}}
{{- if $tls -}}{{- $_ := set $own "tls" $tls -}}{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end }}
