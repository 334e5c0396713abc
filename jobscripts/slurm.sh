#!/bin/bash
# A job for Slurm: the CO2 demo on two nodes.   Submit it from the clone with:   sbatch jobscripts/slurm.sh
#
# What to change for your own work: the lines that begin with #SBATCH, the two lines of the environment, and the program at the end.

#SBATCH --job-name=co2_growth
#SBATCH --ntasks=16              # ranks in all: 1 controller, 2 interfaces, 13 engines
#SBATCH --nodes=2                # they are spread over two nodes; leave it out and Slurm puts them where there is room
#SBATCH --cpus-per-task=1        # cores for each rank; more if the code on the engines uses threads
#SBATCH --time=00:10:00          # walltime (hours:minutes:seconds); the job is killed when it is over
#SBATCH --output=%x-%j.log       # what the job prints: co2_growth-<job id>.log
##SBATCH --partition=short       # your site's names; take one # away to use them
##SBATCH --account=my_project

set -o errexit -o nounset

# The environment. The MPI is the site's, the one that mpi4py was built with (see the README):
# its mpiexec knows the nodes and the network. The module's name is your site's business.
#module load openmpi
source env/bin/activate          # the Python environment that mpikernel is installed in

# Ranks are plain processes, one for each task; keep NumPy from starting a thread for every core in each of them.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"

# Slurm starts the job in the folder that it was submitted from, and the run's files stay here too, in ./.mpikernel.
# ipcluster starts as many ranks as Slurm gave tasks, and ends with the exit code of the program.
# exec: Slurm's signals (scancel, the end of the walltime) then reach ipcluster, which lets the world end in order.
exec ipcluster run examples/co2_growth.py

# The same without ipcluster:
#exec mpiexec -n "$SLURM_NTASKS" python -m mpikernel examples/co2_growth.py
#
# Afterwards, what was run, where and how long:
#   ipcluster history .mpikernel
