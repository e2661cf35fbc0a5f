# halfstep in a container.  A server of the page and the streams, without PyTorch:
#     docker build -t halfstep .
#     docker run --rm -p 8765:8765 halfstep
#     docker run --rm -v "$PWD:/music" halfstep generate /music/night.flac --seconds 60
# Training, on a processor or, with --gpus all, an NVIDIA card:
#     docker build -t halfstep-train --target train .
#     docker run --rm --gpus all -v "$PWD:/data" halfstep-train train /data/mine --out /data/run
# BASE is any image with `python` and `pip`: recipes/release/image.sh builds one from Debian's packages, and this on it.
ARG PYTHON=3.13
ARG BASE=python:${PYTHON}-slim

FROM ${BASE} AS wheel
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md CHANGELOG.md CONTRIBUTING.md LICENSE CITATION.cff ./
COPY requirements requirements
COPY src src
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements/build.txt \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

# CUDA's libraries come with torch's own wheels: no other base image is needed, only the driver of the host.
FROM ${BASE} AS train
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "halfstep[train,serve] @ file://$(ls /wheels/*.whl)" && rm -r /wheels
RUN useradd --create-home halfstep
USER halfstep
WORKDIR /home/halfstep
ENTRYPOINT ["halfstep"]
CMD ["doctor"]

FROM ${BASE} AS play
COPY --from=wheel /wheels /wheels
COPY requirements/serve.txt /tmp/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /tmp/serve.txt \
    && pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels /tmp/serve.txt
RUN useradd --create-home halfstep
USER halfstep
WORKDIR /home/halfstep
EXPOSE 8765
ENTRYPOINT ["halfstep"]
CMD ["serve", "--host", "0.0.0.0"]
