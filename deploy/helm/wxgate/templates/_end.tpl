{{- /* The times of the pod's end.  docs/kubernetes.md has the picture. */ -}}

{{- define "wxgate.delay" -}}
{{- if kindIs "invalid" .Values.drain.delaySeconds -}}
{{ ternary 0 5 (eq .Values.sidecar "native") }}
{{- else -}}
{{ int .Values.drain.delaySeconds }}
{{- end -}}
{{- end }}

{{- /* native: one after the other.  classic: side by side, the longer decides. */ -}}
{{- define "wxgate.grace" -}}
{{- $gate := add (include "wxgate.delay" . | int) (int .Values.drain.timeoutSeconds) -}}
{{- $backend := add (int .Values.backend.preStopSeconds) (int .Values.backend.stopSeconds) -}}
{{ add 5 (ternary (add $gate $backend) (max $gate $backend) (eq .Values.sidecar "native")) }}
{{- end }}

{{- define "wxgate.preStop" -}}
{{- $seconds := int .Values.backend.preStopSeconds -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version -}}
sleep: {seconds: {{ $seconds }}}
{{- else -}}
exec: {command: [sleep, {{ $seconds | quote }}]}
{{- end -}}
{{- end }}
