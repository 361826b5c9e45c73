using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Vfio.Core;
using Vfio.Hosting.Plugins;
using Vfio.User;

namespace Vfio.Hosting;

/// <summary>The host: finds, matches, lends.</summary>
internal sealed partial class VfioHost : IVfioHost
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private readonly IReadOnlyList<IFunctionSource> _sources;
    private readonly IReadOnlyList<VariantDriver> _linked;
    private readonly PluginCatalog _catalog;
    private readonly VfioHostOptions _options;
    private readonly VfioUserServerOptions? _serverOptions;
    private readonly ILoggerFactory _loggers;
    private readonly DriverTable _table = new();
    private readonly DeviceSets _sets = new();
    private readonly FunctionMatcher _matcher;
    private readonly ControllerDirectory _controllers;
    private readonly Lending _lending = new();
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IReadOnlyList<HostedMediatedDevice> _mediated;
    private volatile IReadOnlyList<LoadedPlugin> _plugins = [];
    private volatile IReadOnlyList<HostedFunction> _functions = [];
    private volatile bool _started;
    private bool _disposed;

    public VfioHost(
        IEnumerable<IFunctionSource> sources,
        IEnumerable<VariantDriver> linked,
        PluginCatalog catalog,
        IOptions<VfioHostOptions> options,
        TimeProvider time,
        ILoggerFactory loggers,
        IEnumerable<MediatedDeviceRegistration> mediated,
        IServiceProvider services,
        VfioUserServerOptions? serverOptions = null)
    {
        _sources = [.. sources];
        _linked = [.. linked];
        _catalog = catalog;
        _options = options.Value;
        _loggers = loggers;
        _serverOptions = serverOptions;
        _time = time;
        _logger = loggers.CreateLogger<VfioHost>();
        _controllers = new(_sources);
        var deviceLogger = loggers.CreateLogger<HostedMediatedDevice>();
        _mediated = [.. mediated.Select(m => new HostedMediatedDevice(m, services, _options, time, deviceLogger))];
        _matcher = new(_table, _controllers, _sets, _options, time, loggers);
    }

    public IReadOnlyList<IPciFunction> Functions => [.. _functions.Select(f => f.Function)];

    public IReadOnlyList<DriverStatus> Drivers
        => [.. _table.Drivers.Select(d => new DriverStatus(d.Driver.Name, d.Origin, [.. d.Driver.Ids.Select(id => id.ToString())]))];

    public IReadOnlyList<PluginStatus> Plugins => [.. _plugins.Select(p => p.Status)];

    public async ValueTask StartAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_started)
            return;
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_started)
                return;
            if (_table.Drivers.Count == 0)
                await RegisterDriversAsync(cancellationToken).ConfigureAwait(false);
            CreateMediatedDevices();
            _functions = await DiscoverAsync(cancellationToken).ConfigureAwait(false);
            _started = true;
        }
        finally
        {
            _starting.Release();
        }
    }

    public IReadOnlyList<MediatedDevice> MediatedDevices => _started ? [.. _mediated.Select(m => m.Describe())] : [];

    public IPciFunction Find(string text) => HostedFunctions.Find(_functions, text).Function;

    public async ValueTask<FunctionMatch> ExplainAsync(
        PciAddress function, string? driver = null, CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken).ConfigureAwait(false);
        return await HostedFunctions.Get(_functions, function).ExplainAsync(_matcher, driver, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _lending.EndAllAsync().ConfigureAwait(false);
        foreach (var plugin in _plugins)
            plugin.Dispose();
    }

    // Linked drivers first, plugins in load order, the generic driver last: the order decides between equals.
    private async Task RegisterDriversAsync(CancellationToken cancellationToken)
    {
        var generic = new GenericDriver(_options.DisableDenylist ? null : FunctionQuirks.Denylist);
        if (_linked.Append(generic).GroupBy(d => d.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new VfioException(Errno.EEXIST, $"two drivers that are linked into the host are named '{twice.Key}'; rename one of them");
        var taken = _linked.ToDictionary(d => d.Name, d => $"{d.GetType().FullName}, linked into the host");
        taken.TryAdd(generic.Name, "the generic driver");
        var plugins = await _catalog.LoadAsync(
            _options.PluginDirectories, _options.UnloadablePlugins, _options.ProbeTimeout, taken, cancellationToken).ConfigureAwait(false);
        foreach (var driver in _linked)
            _table.Register(driver, "linked");
        foreach (var plugin in plugins)
        {
            foreach (var driver in plugin.Drivers)
                _table.Register(driver, $"plugin {plugin.Status.Id} {plugin.Status.Version}");
        }

        _table.Register(generic, "built in");
        _plugins = plugins;
    }

    private void CreateMediatedDevices()
    {
        if (_mediated.GroupBy(m => m.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new VfioException(Errno.EEXIST, $"two mediated devices are named '{twice.Key}'; rename one of them");
        foreach (var device in _mediated)
            device.Create();
    }

    private async Task<IReadOnlyList<HostedFunction>> DiscoverAsync(CancellationToken cancellationToken)
    {
        var found = new SortedDictionary<PciAddress, HostedFunction>();
        foreach (var source in _sources)
        {
            foreach (var function in await source.DiscoverAsync(cancellationToken).ConfigureAwait(false))
            {
                if (!found.TryAdd(function.Address, new(function, source)))
                {
                    throw new VfioException(
                        Errno.EEXIST,
                        $"{function.Address} is in {found[function.Address].Source.Name} and in {source.Name}; give one of them another address");
                }
            }
        }

        return [.. found.Values];
    }
}
