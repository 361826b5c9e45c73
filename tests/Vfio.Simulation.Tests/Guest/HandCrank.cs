using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Simulation.Driving;
using Vfio.Simulation.Nvme;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Tests.Guest;

/// <summary>
/// The default topology without threads: one function, the first VF unless told otherwise, takes its steps on the test's thread, one by one
/// where the test wants it.
/// </summary>
internal sealed class HandCrank : IDisposable
{
    private readonly NvmeModel _model;
    private bool _turning;

    public HandCrank(int function = 1)
    {
        var definition = (NvmeDefinition)TopologyDefinition.Default.Models[0];
        _model = NvmeModel.Build(definition, new StorageFolder(null), mappedDoorbells: false, NullLogger.Instance);
        // What other threads ask of a device is then done by the thread that asks.
        foreach (var (crank, _) in _model.Cranks)
            crank.Stopped();
        Function = _model.Functions[function];
        Controller = (NvmeController)Function.Device;
        Controller.WakeDriver = OnWake;
    }

    public SimulatedFunction Function { get; }

    public NvmeController Controller { get; }

    /// <summary>Whether a wake-up turns the crank at once.</summary>
    public bool TurnsWhenWoken { get; set; } = true;

    /// <summary>One step, as in poll mode: nobody is about to sleep.</summary>
    public void Poll() => Controller.Poll();

    public void PollUntil(Func<bool> condition, string what)
        => GuestNvme.Until(
            () =>
            {
                Poll();
                return condition();
            },
            what);

    public void Dispose() => _model.Dispose();

    private void OnWake()
    {
        if (!TurnsWhenWoken || _turning)
            return;
        _turning = true;
        do
        {
            while (Controller.Poll())
            {
            }
        }
        while (!Controller.Arm());
        _turning = false;
    }
}
