# Serves any of the four processes: docker run aisle/serving -m services.intent. Holds no torch and no models.
# With --build-arg GPU=1 also CUDA's libraries, some 2 GB: docker run --gpus all … --provider cuda.
FROM python:3.11-slim-bookworm AS build
ARG GPU=
WORKDIR /build
COPY requirements/serving.txt requirements/gpu.txt requirements/build.txt requirements/constraints.txt requirements/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir -r requirements/serving.txt ${GPU:+-r requirements/gpu.txt}
RUN python -m venv /generator \
    && /generator/bin/pip install --no-cache-dir -r requirements/build.txt
COPY protos /protos
WORKDIR /protos
RUN mkdir /app \
    && find aisle -name '*.proto' -exec \
       /generator/bin/python -m grpc_tools.protoc -I . --python_out=/app --grpc_python_out=/app {} +

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home aisle
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY runtime /app/runtime
COPY services /app/services
COPY gateway /app/gateway
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["python"]
CMD ["-m", "gateway", "--help"]
