"""Structured logs: one JSON object a line, with the process and the request id."""

import logging
import sys
from typing import Any, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from runtime.serving import request_id


def configure(process: str, level: str) -> None:
    """Log to standard error as `process`, from `level` ("debug" to "error") upwards."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _add_context(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of module `name`; call it as `logger.info("event_name", key=value)`."""
    return cast(FilteringBoundLogger, structlog.get_logger(module=name))


def _add_context(process: str) -> Any:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        if request_id.current():
            event["request_id"] = request_id.current()
        return event

    return add
