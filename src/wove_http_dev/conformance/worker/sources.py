"""The pages and RFCs that the cases cite as the source of their requirements."""

PROTOCOL = 'Wove docs, "http / https Executor", Executor Protocol'
SECURITY = 'Wove docs, "wove.security", Security Guarantee'
VERIFY_FIRST = 'Wove docs, "wove.security", Worker Service Verification'
CONTRACT = 'Wove docs, "Custom Executors", Contract Checklist'
EVENTS = 'Wove docs, "Custom Executors", Event Frames'
ENVIRONMENTS = 'Wove docs, "Environments", Delivery Defaults'
EXECUTOR = "wove 2.0, wove/environment.py, as measured"
STDIO = "wove 2.0, wove/stdio_worker.py (Wove's own worker)"
PYTHON = "Python docs, pickle: never load data that could have been tampered with"
HTTP = "RFC 9110"
HTTP1 = "RFC 9112"
BASE64 = "RFC 4648, 3.3"
CWE_LEAK = "CWE-209, error messages that hold sensitive information"
CWE_EXHAUSTION = "CWE-400, uncontrolled resource consumption"
