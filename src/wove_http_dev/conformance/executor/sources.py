"""The specifications and documentation pages that reports cite as the source of each
requirement."""

PROTOCOL = 'Wove docs, "http / https Executor", Executor Protocol'
KEYS = 'Wove docs, "http / https Executor", Configuration Keys'
POLICY = f"{PROTOCOL}: TLS and network executor authentication"
EXECUTOR = "wove.environment.EnvironmentExecutor: start, send, recv, stop"
RUNTIME = "wove.environment.ExecutorRuntime, which pairs frames and runs by run_id"
TIMEOUTS = 'Wove docs, "http / https Executor", timeout and delivery_timeout'
TRANSPORT_ERRORS = "wove.environment.normalize_exception, source transport"
TASK_ERRORS = "wove.environment.normalize_exception, source task"
SECURITY = "wove.security.NetworkExecutorSecurity.headers_for"
VERIFY = "RFC 9110, 4.3.4: https certificate verification"
REDIRECT = "RFC 9110, 15.4, and 17.5 (disclosure of what is confidential)"
STATUS = "RFC 9110, 15"
JSON = "RFC 8259, 8.1: JSON between systems is UTF-8"
INTERIM = "RFC 9110, 15.2: a client must be able to parse interim responses"
NOT_RETRIED = "RFC 9110, 9.2.2: no automatic retry of what is not idempotent"
UNAUTHORIZED = "RFC 9110, 15.5.2: the credentials were refused"
RETRY_AFTER = "RFC 9110, 10.2.3: Retry-After"
UNCAUGHT = "Python docs, threading.excepthook: exceptions that Thread.run() does not catch"
LOOP = "Python docs, asyncio: blocking code must not run in the event loop"
POOL = "Python docs, asyncio.to_thread: the default pool is the application's"
UNTRUSTED_PICKLES = "Python docs, pickle: load only data that you trust"
EXHAUSTION = "CWE-400, uncontrolled resource consumption"
LOGGED = "CWE-532, sensitive information in a log"
PROCESS = "Python docs, os and socket: settings of the whole process, which is the application's"
LEAK = "CWE-209, error messages that hold sensitive information"
