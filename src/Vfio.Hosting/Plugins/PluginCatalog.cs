using System.Reflection;
using Microsoft.Extensions.Logging;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting.Plugins;

/// <summary>Loads plugin folders, each by itself: what is wrong with one is its row's reason and nobody else's trouble.</summary>
internal sealed partial class PluginCatalog(IPluginLoaderFactory loaders, TimeProvider time, ILogger<PluginCatalog> logger)
{
    /// <summary>Loads every folder of some directories, in their order and by name within each.</summary>
    /// <param name="directories">The directories.</param>
    /// <param name="unloadable">Whether the plugins can be unloaded.</param>
    /// <param name="limit">How long a driver's constructor may take.</param>
    /// <param name="taken">The driver names that are taken, each with who has it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VfioException">ENOENT: a directory does not exist.</exception>
    public async Task<IReadOnlyList<LoadedPlugin>> LoadAsync(
        IEnumerable<string> directories,
        bool unloadable,
        TimeSpan limit,
        IReadOnlyDictionary<string, string> taken,
        CancellationToken cancellationToken)
    {
        var plugins = new List<LoadedPlugin>();
        var driverOwners = new Dictionary<string, string>(taken, StringComparer.Ordinal);
        foreach (var directory in directories.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal))
        {
            if (!Directory.Exists(directory))
                throw new VfioException(Errno.ENOENT, $"plugin directory {directory} does not exist; create it, or do not name it");
            foreach (var folder in Directory.GetDirectories(directory).Order(StringComparer.Ordinal))
            {
                var plugin = await LoadOneAsync(folder, unloadable, limit, driverOwners, cancellationToken).ConfigureAwait(false);
                foreach (var driver in plugin.Drivers)
                    driverOwners.Add(driver.Name, $"plugin {plugin.Status.Id}");
                plugins.Add(plugin);
            }
        }

        return plugins;
    }

    private async Task<LoadedPlugin> LoadOneAsync(
        string folder, bool unloadable, TimeSpan limit, Dictionary<string, string> driverOwners, CancellationToken cancellationToken)
    {
        var row = new PluginStatus { Id = Path.GetFileName(folder), Folder = folder, State = PluginState.Refused };
        IPluginLoader? loader = null;
        try
        {
            var manifest = PluginManifest.Read(folder, row, out row);
            var entry = EntryFile(folder, manifest.Entry);
            var config = new PluginLoaderConfig { MainAssemblyPath = entry, IsUnloadable = unloadable };
            var types = PluginAssemblyCheck.Read(entry, PluginLoadContext.Availability(config));
            foreach (var driver in manifest.Drivers)
                CheckNameIsFree(driver.Name, driverOwners);

            // Up to here everything was read as data. From here on code of the plugin runs.
            loader = loaders.Create(config);
            var assembly = loader.LoadDefaultAssembly();
            var drivers = new List<PluginVariantDriver>(types.Count);
            foreach (var type in types)
                drivers.Add(await CreateAsync(assembly, type, limit, cancellationToken).ConfigureAwait(false));
            CheckAgainstManifest(manifest, drivers);
            row = row with { State = PluginState.Loaded };
            LogLoaded(row.Id, row.Version!, drivers.Count);
            return new(row, drivers, loader);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            loader?.Dispose();
            throw;
        }
        catch (Exception e)
        {
            loader?.Dispose();
            var reason = GuardedDevice.FirstLine(
                e is PluginRefusedException ? e.Message : $"cannot be loaded: {e.GetType().Name}: {e.Message}");
            LogRefused(row.Folder, reason);
            return new(row with { State = PluginState.Refused, Reason = reason }, [], null);
        }
    }

    // The manifest's name is a bare one; a link must not lead out of the folder either.
    private static string EntryFile(string folder, string entry)
    {
        var real = new DirectoryInfo(folder).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? folder;
        var path = Path.Combine(real, entry);
        if (!File.Exists(path))
            throw new PluginRefusedException($"entry '{entry}' is not in the plugin's folder");
        var target = new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName;
        return target is null || target.StartsWith(real + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? path
            : throw new PluginRefusedException(
                $"entry '{entry}' is a link to {target}, outside the plugin's folder; put the file itself there");
    }

    private async Task<PluginVariantDriver> CreateAsync(
        Assembly assembly, string typeName, TimeSpan limit, CancellationToken cancellationToken)
    {
        var type = assembly.GetType(typeName, throwOnError: false)
            ?? throw new PluginRefusedException($"[VfioPlugin] names {typeName}, which cannot be loaded from {assembly.GetName().Name}");
        if (!typeof(VariantDriver).IsAssignableFrom(type))
            throw new PluginRefusedException(
                $"[VfioPlugin] names {typeName}, which is no {nameof(VariantDriver)}; derive it from Vfio.{nameof(VariantDriver)}");
        if (type.IsAbstract || !type.IsVisible || type.GetConstructor(Type.EmptyTypes) is not { } constructor)
            throw new PluginRefusedException(
                $"{typeName} must be a public class with a public constructor without parameters, and not abstract");
        try
        {
            return await Bounded.RunAsync(
                _ => ValueTask.FromResult(
                    new PluginVariantDriver((VariantDriver)constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, null, null))),
                limit,
                time,
                cancellationToken).ConfigureAwait(false);
        }
        catch (OverrunException e)
        {
            throw new PluginRefusedException($"the constructor of {typeName} {e.Message}", e);
        }
        catch (Exception e) when (e is not (PluginRefusedException or OperationCanceledException))
        {
            throw new PluginRefusedException($"the constructor of {typeName} threw {e.GetType().Name}: {e.Message}", e);
        }
    }

    private static void CheckAgainstManifest(PluginManifest manifest, List<PluginVariantDriver> drivers)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var driver in drivers)
        {
            if (!names.Add(driver.Name))
                throw new PluginRefusedException($"two of its drivers are named '{driver.Name}'");
            var declared = manifest.Drivers.FirstOrDefault(d => d.Name == driver.Name)
                ?? throw new PluginRefusedException($"its driver '{driver.Name}' is not in its manifest; build the manifest anew");
            var ids = driver.Ids.Select(id => id.ToString()).ToHashSet(StringComparer.OrdinalIgnoreCase);
            if (!ids.SetEquals(declared.Ids.Select(Normalized)))
            {
                throw new PluginRefusedException(
                    $"driver '{driver.Name}' matches {string.Join(", ", ids)}, its manifest says {string.Join(", ", declared.Ids)}; build the manifest anew");
            }
        }

        if (manifest.Drivers.FirstOrDefault(d => !names.Contains(d.Name)) is { } missing)
            throw new PluginRefusedException($"its manifest names driver '{missing.Name}', which the assembly has not");
    }

    private static string Normalized(string alias) => PciIdMatch.TryParse(alias, out var match) ? match.ToString() : alias;

    private static void CheckNameIsFree(string name, Dictionary<string, string> owners)
    {
        if (owners.TryGetValue(name, out var owner))
            throw new PluginRefusedException($"driver name '{name}' is taken by {owner}; remove one of the two");
    }

    [LoggerMessage(3101, LogLevel.Information, "Plugin {Id} {Version} loaded with {Drivers} driver(s)")]
    private partial void LogLoaded(string id, string version, int drivers);

    [LoggerMessage(3102, LogLevel.Warning, "Plugin {Folder} refused: {Reason}")]
    private partial void LogRefused(string folder, string reason);
}
