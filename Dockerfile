# gpuplan in a container: the planner as a web page by default, any command by its arguments.
#   docker build -t gpuplan .
#   docker run --rm gpuplan plan serve --model llama-3.1-70b --rps 20 --in 1000 --out 300
#   docker run --rm -p 127.0.0.1:8765:8765 -v gpuplan:/data gpuplan                       # the web app
#   docker run --rm -v gpuplan:/data -e AWS_REGION=us-east-1 gpuplan prices refresh      # by a schedule of your own
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/all.txt requirements/all.txt
RUN python -m venv /opt/gpuplan && /opt/gpuplan/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/all.txt
COPY pyproject.toml README.md LICENSE ./
COPY planner planner
COPY pricing pricing
RUN /opt/gpuplan/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 gpuplan && mkdir /data && chown gpuplan /data
COPY --from=build /opt/gpuplan /opt/gpuplan
ENV PATH=/opt/gpuplan/bin:$PATH GPUPLAN_STORE=/data/prices.duckdb PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
VOLUME /data
EXPOSE 8765
ENTRYPOINT ["gpuplan"]
CMD ["web", "--host", "0.0.0.0"]
