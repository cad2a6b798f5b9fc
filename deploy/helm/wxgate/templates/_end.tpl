{{- /* The times of the pod's end.  docs/kubernetes.md has the picture. */ -}}

{{- /* Of wxgate's delay, a second for kept connections, and a second to spare. */ -}}
{{- define "wxgate.preStopSeconds" -}}
{{- if kindIs "invalid" .Values.backend.preStopSeconds -}}
{{ add 2 (int .Values.drain.delaySeconds) }}
{{- else -}}
{{ int .Values.backend.preStopSeconds }}
{{- end -}}
{{- end }}

{{- /* Both end side by side, in both forms: the longer one decides. */ -}}
{{- define "wxgate.grace" -}}
{{- $gate := add (int .Values.drain.delaySeconds) (int .Values.drain.timeoutSeconds) -}}
{{- $backend := add (include "wxgate.preStopSeconds" . | int) (int .Values.backend.stopSeconds) -}}
{{ add 5 (max $gate $backend) }}
{{- end }}

{{- define "wxgate.preStop" -}}
{{- $seconds := include "wxgate.preStopSeconds" . -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version -}}
sleep: {seconds: {{ $seconds }}}
{{- else -}}
exec: {command: [sleep, {{ $seconds | quote }}]}
{{- end -}}
{{- end }}
