#!/bin/bash
# A job for PBS: the CO2 demo on two nodes.   Submit it from the clone with:   qsub jobscripts/pbs.sh
#
# What to change for your own work: the lines that begin with #PBS, the lines of the environment, and the program at the end.

#PBS -N co2_growth
#PBS -l select=2:ncpus=8:mpiprocs=8
#PBS -l walltime=00:10:00
#PBS -j oe
##PBS -q short
##PBS -A my_project
#
# select     2 nodes, 8 cores and 8 ranks on each: 1 controller, 2 interfaces, 13 engines (Torque has: -l nodes=2:ppn=8)
# walltime   hours:minutes:seconds; the job is killed when it is over
# -j oe      what the job prints goes to one file: co2_growth.o<job id>
# -q, -A     your site's names; take one # away to use them

set -o errexit -o nounset

cd "$PBS_O_WORKDIR"              # PBS starts in your home folder; this is where the job was submitted from

# The environment. The MPI is the site's, the one that mpi4py was built with (see the README):
# its mpiexec knows the nodes and the network. The module's name is your site's business.
#module load openmpi
source env/bin/activate          # the Python environment that mpikernel is installed in

# Ranks are plain processes, one for each core; keep NumPy from starting a thread for every core in each of them.
export OMP_NUM_THREADS=1

# The run's files stay here too, in ./.mpikernel.
# ipcluster starts as many ranks as PBS gave places, and ends with the exit code of the program.
# exec: signals (qdel, the end of the walltime) then reach ipcluster, which lets the world end in order.
exec ipcluster run examples/co2_growth.py

# The same without ipcluster; the node file has a line for each rank:
#exec mpiexec -n "$(wc -l < "$PBS_NODEFILE")" python -m mpikernel examples/co2_growth.py
#
# Afterwards, what was run, where and how long:
#   ipcluster history .mpikernel
