namespace Vfio.Simulation;

/// <summary>How a simulated topology is driven and where it keeps its data.</summary>
public sealed class SimulationOptions
{
    /// <summary>
    /// The CPU whose thread turns the crank of every device (poll mode): doorbells are then memory that a client may map. Null: each
    /// controller has a thread of its own that sleeps until a doorbell is written (event mode).
    /// </summary>
    public int? PollCpu { get; set; }

    /// <summary>
    /// Where the storage of namespaces without a file of their own lies; it stays there when the topology is disposed, and is found again
    /// by the next one. Also what relative file names of the topology are relative to. Null: temporary storage, gone when the topology is
    /// disposed or the process ends; relative file names are relative to the current directory.
    /// </summary>
    public string? StorageDirectory { get; set; }
}
