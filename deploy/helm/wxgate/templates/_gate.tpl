{{- define "wxgate.container" -}}
- name: wxgate
  image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if eq .Values.sidecar "native" }}
  restartPolicy: Always
  {{- end }}
  args: [serve, --config, /etc/wxgate/config.yaml]
  ports:
    {{- if .Values.tls }}
    - {name: https, containerPort: {{ .Values.ports.https }}}
    {{- end }}
    - {name: http, containerPort: {{ .Values.ports.http }}}
    - {name: admin, containerPort: {{ .Values.ports.admin }}}
  {{- if eq .Values.sidecar "native" }}
  startupProbe:
    httpGet: {path: /readyz, port: {{ .Values.ports.admin }}}
    periodSeconds: 1
    failureThreshold: 30
  # SIGTERM comes when the backend has ended: too late to be told of the end.
  lifecycle:
    preStop: {exec: {command: [/usr/local/bin/wxgate, drain, --no-wait]}}
  {{- end }}
  readinessProbe:
    httpGet: {path: /readyz, port: {{ .Values.ports.admin }}}
    periodSeconds: 2
  livenessProbe:
    httpGet: {path: /livez, port: {{ .Values.ports.admin }}}
    periodSeconds: 10
    timeoutSeconds: 5
  resources: {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: config, mountPath: /etc/wxgate, readOnly: true}
    {{- if .Values.secrets.existingSecret }}
    - {name: secrets, mountPath: /run/secrets/wxgate, readOnly: true}
    {{- end }}
    {{- if .Values.ticketKeys.existingSecret }}
    - {name: tickets, mountPath: /run/secrets/wxgate-tickets, readOnly: true}
    {{- end }}
    {{- range $number, $certificate := .Values.tls }}
    - {name: tls-{{ $number }}, mountPath: /run/secrets/wxgate-tls/{{ $certificate.secretName }}, readOnly: true}
    {{- end }}
{{- end }}
