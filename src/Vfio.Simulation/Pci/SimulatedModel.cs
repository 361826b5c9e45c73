using Vfio.Simulation.Driving;

namespace Vfio.Simulation.Pci;

/// <summary>A device of a topology: its functions, what drives them, and who controls whom.</summary>
internal abstract class SimulatedModel : IDisposable
{
    /// <summary>The functions, the PF first.</summary>
    internal abstract IReadOnlyList<SimulatedFunction> Functions { get; }

    /// <summary>What has to be driven, with a name for its thread.</summary>
    internal abstract IEnumerable<(ICrank Crank, string Name)> Cranks { get; }

    /// <summary>Who controls one of its functions.</summary>
    internal abstract IControllingFunction? ControllerOf(PciAddress controlled);

    /// <summary>Gives back what it holds; it is not driven any more.</summary>
    public abstract void Dispose();
}
