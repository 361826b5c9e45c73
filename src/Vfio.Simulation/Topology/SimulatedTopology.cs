using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Simulation.Driving;
using Vfio.Simulation.Nvme;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation;

/// <summary>Simulated functions, built from a definition; they live until this is disposed. Thread-safe.</summary>
public sealed class SimulatedTopology : IFunctionSource, IAsyncDisposable
{
    private readonly TopologyDefinition _definition;
    private readonly SimulationOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly SemaphoreSlim _building = new(1);
    private readonly List<SimulatedModel> _models = [];
    private readonly List<IDisposable> _drivers = [];
    private IReadOnlyList<IPciFunction>? _functions;
    private bool _disposed;

    /// <summary>Takes the definition; nothing is created before <see cref="DiscoverAsync"/>.</summary>
    /// <param name="definition">What to build.</param>
    /// <param name="options">How to drive it; null for the defaults.</param>
    /// <param name="logger">Where the devices log; null for nowhere.</param>
    public SimulatedTopology(TopologyDefinition definition, SimulationOptions? options = null, ILoggerFactory? logger = null)
    {
        _definition = definition;
        _options = options ?? new();
        _loggers = logger ?? NullLoggerFactory.Instance;
    }

    /// <inheritdoc/>
    public string Name => "simulation";

    /// <summary>The subsystems, for tests.</summary>
    internal IReadOnlyList<SimulatedModel> Models => _models;

    /// <summary>Powers the devices on: storage is created, VFs are enabled. Later calls return the same functions.</summary>
    /// <param name="cancellationToken">Gives up waiting for another call.</param>
    /// <returns>The functions, in address order.</returns>
    /// <exception cref="VfioException">Storage, or the CPU to poll on, cannot be had.</exception>
    /// <exception cref="ObjectDisposedException">The topology is disposed.</exception>
    public async ValueTask<IReadOnlyList<IPciFunction>> DiscoverAsync(CancellationToken cancellationToken)
    {
        await _building.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _functions ??= Build();
        }
        finally
        {
            _building.Release();
        }
    }

    /// <summary>Who controls a VF: its PF, which offers <see cref="ICommandChannel"/>.</summary>
    /// <param name="controlled">The VF.</param>
    /// <returns>The PF; null for a function that is no VF of this topology, and before <see cref="DiscoverAsync"/>.</returns>
    public IControllingFunction? ControllerOf(PciAddress controlled)
        => Volatile.Read(ref _functions) is null
            ? null
            : _models.Select(m => m.ControllerOf(controlled)).FirstOrDefault(c => c is not null);

    /// <summary>
    /// Has a function detect an uncorrectable error, as hardware may at any time: its AER and status registers say so, and where neither
    /// the mask nor the enables keep it back, it reports it (<see cref="IPciFunction.OnUncorrectableError"/>), and its client's error
    /// eventfd is signalled. Nothing else happens to the function. For hosts that rehearse failures, and for tests.
    /// </summary>
    /// <param name="function">The function; of a VF, mask, severity and enables are its PF's.</param>
    /// <param name="error">The error.</param>
    /// <returns>Whether it was reported; false as well while the function is being reset, or if it is a VF that is not enabled, or
    /// that cannot detect such an error: those of the link are its PF's.</returns>
    /// <exception cref="VfioException">ENODEV: no such function; there is none before <see cref="DiscoverAsync"/>.</exception>
    public bool RaiseError(PciAddress function, UncorrectableError error)
    {
        if (!Enum.IsDefined(error))
            throw new ArgumentOutOfRangeException(nameof(error), error, "no error that a simulated function can detect");
        var found = Volatile.Read(ref _functions)?.OfType<SimulatedFunction>().FirstOrDefault(f => f.Address == function);
        return found?.Detect(error) ?? throw new VfioException(Errno.ENODEV, $"{function} is no function of the simulation");
    }

    /// <summary>Stops every device and removes temporary storage. Nobody may use a function any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _building.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_disposed)
                return;
            _disposed = true;
            // A device that waits for its client would keep its thread.
            var functions = _models.SelectMany(m => m.Functions);
            await Task.WhenAll(functions.Select(f => f.Dma.SeverAsync(f.Device.RestAsync))).ConfigureAwait(false);
            Release();
        }
        finally
        {
            _building.Release();
        }
    }

    private List<IPciFunction> Build()
    {
        try
        {
            var storage = new StorageFolder(_options.StorageDirectory);
            foreach (var model in _definition.Models)
            {
                _models.Add(model switch
                {
                    NvmeDefinition nvme => NvmeModel.Build(nvme, storage, _options.PollCpu is not null, _loggers.CreateLogger<NvmeModel>()),
                    _ => throw new VfioException(Errno.ENOSYS, $"there is no model for {model.GetType().Name}"),
                });
            }

            SimulatedBus.Connect(_models.Select(m => m.Functions));
            var cranks = _models.SelectMany(m => m.Cranks);
            if (_options.PollCpu is { } cpu)
                _drivers.Add(new PollThread(cpu, [.. cranks.Select(c => c.Crank)]));
            else
                _drivers.AddRange(cranks.Select(c => new CrankThread(c.Crank, c.Name)));
            return [.. _models.SelectMany(m => m.Functions).OrderBy(f => f.Address)];
        }
        catch
        {
            Release();
            throw;
        }
    }

    private void Release()
    {
        foreach (var driver in _drivers)
            driver.Dispose();
        foreach (var model in _models)
            model.Dispose();
        _drivers.Clear();
        _models.Clear();
    }
}
