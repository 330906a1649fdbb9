# CPU:  docker build -t trunkzoo .
# CUDA: docker build -t trunkzoo:cuda --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 --build-arg TORCH_INDEX= .
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}

# PyTorch's index of wheels without CUDA; empty takes those of PyPI, which have it.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_EXTRA_INDEX_URL=${TORCH_INDEX} PIP_NO_CACHE_DIR=1
ARG DEBIAN_FRONTEND=noninteractive

RUN apt-get -qq update \
 && apt-get -qq install -y --no-install-recommends make python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/*

COPY . /opt/trunkzoo
RUN make -C /opt/trunkzoo cluster

ENV PATH=/opt/trunkzoo/.venv/bin:${PATH} OMP_NUM_THREADS=1
WORKDIR /trunkzoo
ENTRYPOINT ["zoo"]
CMD ["doctor"]
